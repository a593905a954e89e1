//! The steps of the demo, as data.

/// A part of the story.
pub(crate) struct Step {
    pub(crate) title: &'static str,
    /// What the step is about, in a line or two.
    pub(crate) why: &'static str,
    pub(crate) acts: &'static [Act],
}

/// One thing that is done, shown or checked.
pub(crate) enum Act {
    /// Shows a file of the demo's folder.
    Show(&'static str),
    /// Runs kubectl with these arguments.
    Kubectl(&'static [&'static str], Shown),
    /// Runs kubectl, which the API server is to refuse.
    Refused(&'static [&'static str]),
    /// Starts the operator.
    StartOperator,
    /// Has an event of this type happen in the network.
    Event(&'static str),
    /// Checks that something is so.
    Check(Check),
}

/// How much of a command's output is shown.
pub(crate) enum Shown {
    All,
    /// The first lines, and how many more there are.
    First(usize),
    /// From the line that begins so, without blank lines.
    From(&'static str),
    /// Its beginning; the rest is secret.
    Masked,
}

/// What is checked, and told as a fact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    OperatorHasItsRights,
    NetworkWasListed,
    EndpointIsAsDeclared,
    CreateWasCheap,
    SecretIsTheRightOne,
    ReceiverIsReady,
    DeliveryVerifies,
    ForgeryIsRefused,
    EndpointWasPatched,
    NothingWasCreated,
    EndpointWasReplaced,
    EndpointIsGone,
}

use Act::{Event, Kubectl, Refused, Show, StartOperator};
use Shown::{All, First, From, Masked};

pub(crate) const STORY: &[Step] = &[
    Step {
        title: "Install the operator",
        why: "There are no nodes here, so the operator runs as a process beside the cluster, with a token of\n\
              the ServiceAccount that deploy/ gives it.",
        acts: &[
            Kubectl(&["apply", "--server-side", "-k", "deploy/setup"], First(3)),
            Kubectl(&["apply", "--server-side", "-k", "deploy"], First(3)),
            StartOperator,
            Act::Check(Check::OperatorHasItsRights),
        ],
    },
    Step {
        title: "Connect a network",
        why: "Whoever runs the cluster does this once: the API's credentials and its address.",
        acts: &[
            Kubectl(
                &[
                    "-n",
                    "webhook-operator",
                    "create",
                    "secret",
                    "generic",
                    "lynkwell",
                    "--from-file=clientId",
                    "--from-file=clientSecret",
                ],
                All,
            ),
            Kubectl(&["apply", "-f", "network.yaml"], All),
            Kubectl(&["wait", "--for=condition=Ready", "clusterwebhooknetwork/default"], All),
            Kubectl(&["get", "clusterwebhooknetworks"], All),
            Act::Check(Check::NetworkWasListed),
        ],
    },
    Step {
        title: "Declare an endpoint",
        why: "A team declares where its events are to go.",
        acts: &[
            Show("endpoint.yaml"),
            Kubectl(&["create", "namespace", "billing"], All),
            Kubectl(&["apply", "-f", "endpoint.yaml"], All),
            Kubectl(&["-n", "billing", "wait", "--for=condition=Ready", "whe/charge-events"], All),
            Kubectl(&["-n", "billing", "get", "whe"], All),
            Act::Check(Check::EndpointIsAsDeclared),
            Act::Check(Check::CreateWasCheap),
        ],
    },
    Step {
        title: "Find the signing secret in a Secret",
        why: "The API shows it once, in its answer to the create. Pods mount it from here.",
        acts: &[
            Kubectl(&["-n", "billing", "describe", "secret", "charge-events"], From("Type:")),
            Kubectl(
                &[
                    "-n",
                    "billing",
                    "get",
                    "secret",
                    "charge-events",
                    "-o",
                    "go-template={{.data.secret | base64decode}}",
                ],
                Masked,
            ),
            Act::Check(Check::SecretIsTheRightOne),
        ],
    },
    Step {
        title: "Receive an event",
        why: "The receiver, examples/receiver, has the Secret as files, and knows nothing else.",
        acts: &[
            Act::Check(Check::ReceiverIsReady),
            Event("ocpp.message"),
            Act::Check(Check::DeliveryVerifies),
            Act::Check(Check::ForgeryIsRefused),
        ],
    },
    Step {
        title: "Ask for more events",
        why: "A change of the manifest becomes a PATCH; the endpoint and its secret stay.",
        acts: &[
            Kubectl(
                &[
                    "-n",
                    "billing",
                    "patch",
                    "whe",
                    "charge-events",
                    "--type=merge",
                    "-p",
                    r#"{"spec":{"enabledEvents":["ocpp.message","asset.connectivity"]}}"#,
                ],
                All,
            ),
            Kubectl(&["-n", "billing", "wait", "--for=condition=Ready", "whe/charge-events"], All),
            Act::Check(Check::EndpointWasPatched),
            Event("asset.connectivity"),
            Act::Check(Check::DeliveryVerifies),
        ],
    },
    Step {
        title: "Make a mistake",
        why: "The API server refuses it when it is applied, and says what to write instead.",
        acts: &[
            Show("mistakes.yaml"),
            Refused(&["apply", "-f", "mistakes.yaml"]),
            Act::Check(Check::NothingWasCreated),
        ],
    },
    Step {
        title: "Rotate the secret",
        why: "The API can't: another endpoint takes the place of the first. Its secret is in the Secret, beside the\n\
              one before, well before it signs. In life this takes minutes, and days; here, seconds.",
        acts: &[
            Kubectl(
                &[
                    "-n",
                    "billing",
                    "patch",
                    "whe",
                    "charge-events",
                    "--type=merge",
                    "-p",
                    r#"{"spec":{"rotation":{"activateAfter":"5s","retireAfter":"5s"}}}"#,
                ],
                All,
            ),
            Kubectl(
                &["-n", "billing", "annotate", "whe", "charge-events", "webhookoperator.dev/rotate=first"],
                All,
            ),
            Kubectl(
                &["-n", "billing", "wait", "--for=jsonpath={.status.replacement.since}", "whe/charge-events"],
                All,
            ),
            Kubectl(&["-n", "billing", "describe", "secret", "charge-events"], From("Type:")),
            Event("ocpp.message"),
            Act::Check(Check::DeliveryVerifies),
            Kubectl(
                &[
                    "-n",
                    "billing",
                    "wait",
                    "--for=jsonpath={.status.handledRotation}=first",
                    "--timeout=60s",
                    "whe/charge-events",
                ],
                All,
            ),
            Act::Check(Check::EndpointWasReplaced),
            Event("ocpp.message"),
            Act::Check(Check::DeliveryVerifies),
        ],
    },
    Step {
        title: "Change the URL",
        why: "The same way: until the receiver has had its time, both URLs are delivered to.",
        acts: &[
            Show("moved.yaml"),
            Kubectl(&["apply", "-f", "moved.yaml"], All),
            Kubectl(
                &["-n", "billing", "wait", "--for=condition=Ready", "--timeout=60s", "whe/charge-events"],
                All,
            ),
            Kubectl(&["-n", "billing", "get", "whe"], All),
            Act::Check(Check::EndpointWasReplaced),
            Event("asset.connectivity"),
            Act::Check(Check::DeliveryVerifies),
        ],
    },
    Step {
        title: "Delete the endpoint",
        why: "kubectl returns once the remote endpoint is gone; the Secret is garbage-collected.",
        acts: &[
            Kubectl(&["-n", "billing", "delete", "whe", "charge-events"], All),
            Kubectl(&["-n", "billing", "wait", "--for=delete", "secret/charge-events"], All),
            Kubectl(&["-n", "billing", "get", "whe,secrets"], All),
            Act::Check(Check::EndpointIsGone),
        ],
    },
];

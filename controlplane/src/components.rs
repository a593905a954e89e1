//! The command lines of the components.

use std::path::Path;

/// Files that the components read and write, all in one control plane's folder.
pub(crate) struct Files<'a>(pub(crate) &'a Path);

impl Files<'_> {
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

/// What the audit log holds: who did what, once for each request, when it was answered.
pub(crate) const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
";

/// Controllers that make objects come and go as in a cluster. No nodes, so nothing that serves pods.
const CONTROLLERS: [&str; 8] = [
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "validatingadmissionpolicy-status-controller",
];

/// Where etcd is served: a socket in a private folder needs neither a port nor TLS. Relative to the folder,
/// in which the components run, because a socket's path may have a hundred characters only.
const ETCD: &str = "unix://etcd.sock";
const ETCD_PEERS: &str = "unix://etcd-peers.sock";

pub(crate) fn etcd(files: &Files<'_>) -> Vec<String> {
    // etcd wants to advertise hosts with ports; with one member, nobody ever looks there.
    let nobody = "http://127.0.0.1:2380";
    vec![
        format!("--data-dir={}", files.path("etcd")),
        format!("--listen-client-urls={ETCD}"),
        format!("--advertise-client-urls={nobody}"),
        format!("--listen-peer-urls={ETCD_PEERS}"),
        format!("--initial-advertise-peer-urls={nobody}"),
        format!("--initial-cluster=default={nobody}"),
        // Nothing here needs to survive a power cut.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

pub(crate) fn kube_apiserver(files: &Files<'_>, port: u16) -> Vec<String> {
    vec![
        format!("--etcd-servers={ETCD}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        // It would publish a loopback address, which the API refuses.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", files.path("generated-certificates")),
        format!("--tls-cert-file={}", files.path("server.crt")),
        format!("--tls-private-key-file={}", files.path("server.key")),
        format!("--client-ca-file={}", files.path("ca.crt")),
        "--authorization-mode=Node,RBAC".to_owned(),
        // Asks for a right wherever an owner reference is changed, as some distributions do.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement".to_owned(),
        // As kubeadm has it, so that it is Pod Security that refuses.
        "--allow-privileged=true".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-signing-key-file={}", files.path("service-account.key")),
        format!("--service-account-key-file={}", files.path("service-account.pub")),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        format!("--audit-policy-file={}", files.path("audit-policy.yaml")),
        format!("--audit-log-path={}", files.path("audit.log")),
        "--audit-log-format=json".to_owned(),
        // An event is in the file before the client has its answer.
        "--audit-log-mode=blocking-strict".to_owned(),
        // In MiB: a reader wants one file, not a set of rotated ones.
        "--audit-log-maxsize=102400".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

pub(crate) fn kube_controller_manager(files: &Files<'_>) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", files.path("controller-manager.kubeconfig")),
        format!("--controllers={}", CONTROLLERS.join(",")),
        "--use-service-account-credentials=true".to_owned(),
        format!("--service-account-private-key-file={}", files.path("service-account.key")),
        format!("--root-ca-file={}", files.path("ca.crt")),
        "--leader-elect=false".to_owned(),
        // Serves nothing, so it needs no port.
        "--secure-port=0".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=1000".to_owned(),
        "--concurrent-namespace-syncs=20".to_owned(),
        "--namespace-sync-period=10s".to_owned(),
        "--concurrent-resource-quota-syncs=10".to_owned(),
        "--resource-quota-sync-period=5s".to_owned(),
        "--min-resync-period=1m".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

//! A service that receives deliveries and believes those whose signature the Secret verifies.

use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use jiff::Timestamp;
use secrecy::SecretString;
use simulator::signature::{SIGNATURE_HEADER, SignatureError, verify};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use super::error::{DemoError, Problem, io};
use super::kubectl::Kubectl;

/// Listens before there is a cluster, since manifests name its address.
pub(crate) struct Listening(TcpListener);

impl Listening {
    pub(crate) async fn start() -> Result<Self, DemoError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        Ok(Self(listener.map_err(io("starting the receiver"))?))
    }

    /// The receiver's URL, without a path.
    pub(crate) fn url(&self) -> Result<String, DemoError> {
        let address = self.0.local_addr().map_err(io("starting the receiver"))?;
        Ok(format!("http://{address}"))
    }

    /// Answers from now on. Below `/NAMESPACE/SECRET`, the keys `secret` and `previousSecret…` of that
    /// Secret verify.
    pub(crate) fn serve(self, kubectl: Kubectl) -> Receiver {
        let (sender, receipts) = mpsc::unbounded_channel();
        let router = Router::new()
            .route("/{namespace}/{secret}", post(receive))
            .with_state(Shared { kubectl, receipts: sender });
        let task = tokio::spawn(async move {
            // It serves until the demo ends.
            let _ = axum::serve(self.0, router).await;
        });
        Receiver { receipts, task }
    }
}

/// A running receiver; it stops when dropped.
pub(crate) struct Receiver {
    receipts: UnboundedReceiver<Receipt>,
    task: JoinHandle<()>,
}

/// A delivery, and whether it was believed.
pub(crate) struct Receipt {
    pub(crate) path: String,
    pub(crate) signature: String,
    pub(crate) body: Bytes,
    pub(crate) verdict: Result<(), Disbelief>,
}

/// Why a delivery was not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Disbelief {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("the Secret can't be read: {0}")]
    Secret(#[from] Problem),
}

impl Receiver {
    /// The next delivery.
    pub(crate) async fn next(&mut self) -> Option<Receipt> {
        self.receipts.recv().await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Shared {
    kubectl: Kubectl,
    receipts: UnboundedSender<Receipt>,
}

async fn receive(
    State(shared): State<Shared>,
    Path((namespace, secret)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let signature = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let verdict = judge(&shared.kubectl, &namespace, &secret, signature, &body).await;
    let status = match &verdict {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(Disbelief::Signature(_)) => StatusCode::UNAUTHORIZED,
        Err(Disbelief::Secret(_)) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let receipt =
        Receipt { path: format!("/{namespace}/{secret}"), signature: signature.to_owned(), body, verdict };
    // The demo may have ended meanwhile.
    let _ = shared.receipts.send(receipt);
    status
}

async fn judge(
    kubectl: &Kubectl,
    namespace: &str,
    name: &str,
    signature: &str,
    body: &[u8],
) -> Result<(), Disbelief> {
    let secrets = read(kubectl, namespace, name).await?;
    verify(signature, body, &secrets, Timestamp::now())?;
    Ok(())
}

/// The signing secrets, as a Pod would find them in the files that the Secret is mounted as.
async fn read(kubectl: &Kubectl, namespace: &str, name: &str) -> Result<Vec<SecretString>, Problem> {
    let template = "go-template={{range $key, $value := .data}}\
                    {{if or (eq $key \"secret\") (eq (slice $key 0 3) \"pre\")}}{{$value | base64decode}}{{\"\\n\"}}{{end}}{{end}}";
    let arguments = ["--namespace", namespace, "get", "secret", "--output", template, "--", name];
    Ok(kubectl.run(&arguments).await?.lines().map(|line| line.to_owned().into()).collect())
}

//! What is logged, and how it looks.

use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::{EnvFilter, Registry};

/// How lines of the log look.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// Logs to `writer` what `filter` names.
pub(crate) fn subscriber<W>(
    filter: EnvFilter,
    format: LogFormat,
    colour: bool,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter.and(filter_fn(is_discreet))))
}

/// Kubernetes' client logs answers as they are, and among these are Secrets and refusals that quote them. So it
/// is silent, whatever is asked for; its errors are logged by those who call it.
fn is_discreet(metadata: &Metadata<'_>) -> bool {
    metadata.target() != "kube_client::client"
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_kubernetes_client_tells_no_answers() {
        for filter in ["trace", "kube_client::client=trace", "webhook_operator[reconcile]=trace,info"] {
            for format in [LogFormat::Text, LogFormat::Json] {
                let log = Log::default();
                let writer = log.clone();
                let subscriber = subscriber(filter.parse().unwrap(), format, false, move || writer.clone());
                tracing::subscriber::with_default(subscriber, || {
                    let _span = tracing::info_span!(target: "webhook_operator", "reconcile").entered();
                    tracing::warn!(target: "kube_client::client", "whsec_1");
                    tracing::warn!(target: "webhook_operator::reconcile", "told");
                });
                let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
                assert!(text.contains("told") || filter.starts_with("kube"), "{filter}: {text}");
                assert!(!text.contains("whsec_1"), "{filter}: {text}");
            }
        }
    }
}

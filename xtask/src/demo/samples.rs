//! The manifests that the demo applies: those of `deploy/samples`, with the addresses of this machine.

use std::fs;
use std::path::Path;

use super::error::{DemoError, io};

/// The namespace of the sample.
pub(crate) const NAMESPACE: &str = "billing";
/// The name of the sample, and of its Secret.
pub(crate) const NAME: &str = "charge-events";

/// A manifest, and what is put in the place of what.
struct Sample {
    file: &'static str,
    content: &'static str,
    /// What is written for production, each exactly once.
    production: &'static [&'static str],
}

const NETWORK: Sample = Sample {
    file: "network.yaml",
    content: include_str!("../../../deploy/samples/network.yaml"),
    production: &[
        "apiUrl: https://api.lynkwell.com/webhooks/v1",
        "tokenUrl: https://lynkwell-prod.us.auth0.com/oauth/token",
    ],
};

const ENDPOINT: Sample = Sample {
    file: "endpoint.yaml",
    content: include_str!("../../../deploy/samples/endpoint.yaml"),
    production: &["url: https://hooks.example.com/"],
};

/// The same endpoint, with another URL.
const MOVED: Sample = Sample {
    file: "moved.yaml",
    content: include_str!("moved.yaml"),
    production: &["url: https://hooks.example.com/"],
};

/// What `mistakes.yaml` gets wrong is told by the API server.
const MISTAKES: Sample =
    Sample { file: "mistakes.yaml", content: include_str!("mistakes.yaml"), production: &[] };

/// The addresses on this machine.
pub(crate) struct Addresses {
    pub(crate) api: String,
    pub(crate) token: String,
    /// Without a path.
    pub(crate) receiver: String,
}

/// Writes the manifests into `folder`.
pub(crate) fn write(folder: &Path, addresses: &Addresses) -> Result<(), DemoError> {
    let Addresses { api, token, receiver } = addresses;
    let api = format!("apiUrl: {api}\n  allowHttp: true # on this machine only");
    for (sample, local) in [
        (NETWORK, &[api, format!("tokenUrl: {token}")][..]),
        (ENDPOINT, &[format!("url: {receiver}/")]),
        (MOVED, &[format!("url: {receiver}/")]),
        (MISTAKES, &[]),
    ] {
        let content = sample.localised(local)?;
        fs::write(folder.join(sample.file), content).map_err(io("writing the samples"))?;
    }
    Ok(())
}

impl Sample {
    fn localised(&self, local: &[String]) -> Result<String, DemoError> {
        let mut content = self.content.to_owned();
        for (production, local) in self.production.iter().zip(local) {
            if content.matches(production).count() != 1 {
                let why = format!("it should have `{production}` exactly once");
                return Err(DemoError::Sample { file: self.file, why });
            }
            content = content.replace(production, local);
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_addresses_differ_from_what_is_written_for_production() {
        let folder = tempfile::tempdir().unwrap();
        let addresses =
            Addresses { api: "http://a/v1".into(), token: "http://t".into(), receiver: "http://r".into() };
        write(folder.path(), &addresses).unwrap();
        for (sample, changed) in [
            (
                NETWORK,
                &[
                    "  apiUrl: http://a/v1",
                    "  allowHttp: true # on this machine only",
                    "      tokenUrl: http://t",
                ][..],
            ),
            (ENDPOINT, &["  url: http://r/billing/charge-events"]),
            (MOVED, &["  url: http://r/billing/charge-events?region=eu"]),
            (MISTAKES, &[]),
        ] {
            let written = fs::read_to_string(folder.path().join(sample.file)).unwrap();
            let original: Vec<&str> = sample.content.lines().collect();
            let new: Vec<&str> = written.lines().filter(|line| !original.contains(line)).collect();
            assert_eq!(new, changed, "{}", sample.file);
        }
    }

    #[test]
    fn a_sample_without_the_expected_address_is_refused() {
        let sample = Sample { file: "x.yaml", content: "url: x", production: &["apiUrl: y"] };
        assert_eq!(
            sample.localised(&[String::new()]).unwrap_err().to_string(),
            "the sample x.yaml can't be used: it should have `apiUrl: y` exactly once"
        );
    }
}

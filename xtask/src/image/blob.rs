//! What an image consists of: content that is named by its digest.

use oci_spec::OciSpecError;
use oci_spec::image::{Descriptor, Digest, MediaType};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Content, and its digest.
#[derive(Debug)]
pub(super) struct Blob {
    digest: Digest,
    content: Vec<u8>,
}

impl Blob {
    pub(super) fn new(content: Vec<u8>) -> Result<Self, OciSpecError> {
        Ok(Self { digest: digest(&content)?, content })
    }

    /// What is written down as JSON.
    pub(super) fn json(value: &impl Serialize) -> Result<Self, OciSpecError> {
        Self::new(json(value)?)
    }

    pub(super) fn descriptor(&self, media_type: MediaType) -> Descriptor {
        Descriptor::new(media_type, self.content.len() as u64, self.digest.clone())
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    /// Where it is in an image layout.
    pub(super) fn path(&self) -> String {
        format!("blobs/{}/{}", self.digest.algorithm(), self.digest.digest())
    }
}

/// The digest of this content, such as `sha256:ba78…`.
pub(super) fn digest(content: &[u8]) -> Result<Digest, OciSpecError> {
    format!("sha256:{}", sha256(content)).parse()
}

/// The SHA-256 sum, in hexadecimal.
pub(super) fn sha256(content: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(content))
}

/// JSON with its keys in order: the maps of oci-spec have another order in each process.
pub(super) fn json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut value = serde_json::to_value(value)?;
    value.sort_all_objects();
    serde_json::to_vec(&value)
}

//! Signed addresses: good for one object, until they expire.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::content::Content;
use super::reply::disposition;

/// Signs addresses and checks them.
#[derive(Debug)]
pub(super) struct AddressSigner {
    lifetime: Duration,
    /// Goes into each signature, so that a new key makes all earlier addresses void.
    key: u64,
}

impl Default for AddressSigner {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(3600), key: 0 }
    }
}

impl AddressSigner {
    pub(super) fn live_for(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    /// Makes every address signed so far expire.
    pub(super) fn expire_all(&mut self) {
        self.key += 1;
    }

    /// The path and query that give access to an object for a while.
    pub(super) fn sign(&self, object: &str, file: &str) -> String {
        let expires = now() + self.lifetime.as_secs();
        let disposition: String =
            url::form_urlencoded::byte_serialize(disposition(file).as_bytes()).collect();
        let (policy, signature) =
            (digits(&format!("policy\0{object}\0{expires}")), self.signature(object, expires));
        format!(
            "{object}?X-Xet-Cas-Uid=public&response-content-disposition={disposition}\
             &Expires={expires}&Policy={policy}&Signature={signature}&Key-Pair-Id=TESTHUB"
        )
    }

    /// Whether the query gives access to the object now.
    pub(super) fn admits(&self, object: &str, query: &str) -> bool {
        let value = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let Some(expires) = value("Expires").and_then(|text| text.parse::<u64>().ok()) else { return false };
        value("Signature") == Some(self.signature(object, expires)) && now() < expires
    }

    /// No test has a reason to forge one, so a digest of what it covers will do.
    fn signature(&self, object: &str, expires: u64) -> String {
        digits(&format!("{}\0{object}\0{expires}", self.key))
    }
}

fn digits(text: &str) -> String {
    Content::from(text.to_owned()).sha256()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_good_for_its_object_until_it_expires() {
        let mut signer = AddressSigner::default();
        let address = signer.sign("/a/b", "folder/file.bin");
        let (path, query) = address.split_once('?').unwrap();
        assert_eq!(path, "/a/b");
        assert!(signer.admits("/a/b", query));
        assert!(!signer.admits("/a/c", query));
        assert!(!signer.admits("/a/b", ""));
        assert!(!signer.admits("/a/b", &query.replace("Signature=", "Signature=0")));
        signer.expire_all();
        assert!(!signer.admits("/a/b", query));
        signer.live_for(Duration::ZERO);
        let address = signer.sign("/a/b", "file.bin");
        assert!(!signer.admits("/a/b", address.split_once('?').unwrap().1));
    }
}

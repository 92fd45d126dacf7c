//! Who may read the store: a token that the Hub gives out for one repository, for a while.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

/// It is renewed so long before it ends.
const MARGIN: Duration = Duration::from_secs(30);
/// For how long one is used that does not say it.
const USUAL: Duration = Duration::from_secs(60);

/// A token of the store, and where the store is. Like the Hub's token it can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct XetAccess {
    authorization: HeaderValue,
    store: Url,
    ends: SystemTime,
}

/// How the Hub writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    access_token: String,
    /// Seconds since 1970.
    exp: u64,
    cas_url: String,
}

impl XetAccess {
    /// Reads what the Hub grants. None where it makes no sense; what it says may be a secret, and is not told.
    pub(super) fn from_json(json: &[u8]) -> Option<Self> {
        let Granted { access_token, exp, cas_url } = serde_json::from_slice(json).ok()?;
        let is_token = !access_token.is_empty() && access_token.bytes().all(|byte| byte.is_ascii_graphic());
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {access_token}")).ok().filter(|_| is_token)?;
        authorization.set_sensitive(true);
        let store = Url::parse(&cas_url).ok()?;
        let is_store = matches!(store.scheme(), "http" | "https")
            && store.has_host()
            && store.username().is_empty()
            && store.password().is_none();
        // A clock that is wrong makes it too old or too young: it is tried, and renewed when it is refused.
        let ends = UNIX_EPOCH.checked_add(Duration::from_secs(exp))?;
        is_store.then_some(Self { authorization, store, ends })
    }

    /// For how long it is good, where it is given out now. One that has ended by then shows that this machine's clock is
    /// wrong, and is tried: the store says when it has ended.
    pub(super) fn good_for(&self, now: SystemTime) -> Duration {
        self.ends.duration_since(now).map_or(USUAL, |left| left.saturating_sub(MARGIN))
    }

    /// What goes with a question. For requests to the store only.
    pub(super) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    pub(super) fn store(&self) -> &Url {
        &self.store
    }
}

impl fmt::Debug for XetAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("XetAccess(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hub_grants_is_read_and_never_shown() {
        let granted =
            |token: &str, url: &str| format!(r#"{{"accessToken":"{token}","exp":2000,"casUrl":"{url}"}}"#);
        let access = XetAccess::from_json(granted("xet_secret", "https://cas.example").as_bytes()).unwrap();
        assert!(!format!("{access:?} {:?}", access.authorization()).contains("xet_secret"));
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (now, seconds) in [(1900, 70), (1970, 0), (1999, 0), (2001, 60), (9000, 60)] {
            assert_eq!(access.good_for(at(now)), Duration::from_secs(seconds), "{now}");
        }
        for (token, url) in [
            ("", "https://cas.example"),
            ("a b", "https://cas.example"),
            ("xet", "ftp://cas.example"),
            ("xet", "https://user:word@cas.example"),
            ("xet", "nowhere"),
        ] {
            assert_eq!(XetAccess::from_json(granted(token, url).as_bytes()), None, "{token} {url}");
        }
        for text in ["", "{}", "[]", r#"{"accessToken":"a"}"#] {
            assert_eq!(XetAccess::from_json(text.as_bytes()), None, "{text}");
        }
    }
}

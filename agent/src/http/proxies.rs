//! Which proxy an address is asked through: what the environment's variables say, by curl's rules. One that can't be
//! understood is an error and never gone around.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use url::Url;

use super::no_proxy::NoProxy;
use super::proxy_login::shown;
use super::proxy_server::{ProxyFlaw, ProxyServer};

/// The proxies that a machine's environment asks for. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Arc<Chosen>);

#[derive(Debug, Default)]
struct Chosen {
    https: Option<Result<Arc<ProxyServer>, ProxyError>>,
    http: Option<Result<Arc<ProxyServer>, ProxyError>>,
    exempt: NoProxy,
}

/// Whose environment it is, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvironmentOwner {
    /// This machine's.
    ThisMachine,
    /// That of a box, where an agent reads it.
    Box,
}

/// A variable names a proxy that can't be understood. Its password is no part of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is `{value}`: {flaw}")]
pub struct ProxyError {
    /// The variable, and whose it is.
    pub variable: ProxyVariable,
    value: String,
    flaw: ProxyFlaw,
}

/// An environment variable that names a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyVariable {
    /// Its name.
    pub name: &'static str,
    /// Whose environment it is of.
    pub owner: EnvironmentOwner,
}

impl Proxies {
    /// No address is asked through a proxy.
    pub fn none() -> Self {
        Self::default()
    }

    /// What this process's environment says.
    pub fn of_process(owner: EnvironmentOwner) -> Self {
        Self::read(owner, |name| std::env::var_os(name))
    }

    /// The same of any environment. The small name of a variable comes before the large one, and one that is empty is not
    /// set. What the web server of a CGI script was asked can set `HTTP_PROXY`, so that it does not count there.
    pub fn read(owner: EnvironmentOwner, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.to_string_lossy().trim().is_empty());
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| Some((ProxyVariable { name, owner }, set(name)?)))
        };
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let upper_http: &[&'static str] = if is_cgi { &[] } else { &["HTTP_PROXY"] };
        let for_all = || first(&["all_proxy", "ALL_PROXY"]);
        let http = first(&["http_proxy"]).or_else(|| first(upper_http)).or_else(for_all);
        let https = first(&["https_proxy", "HTTPS_PROXY"]).or_else(for_all);
        let exempt = first(&["no_proxy", "NO_PROXY"]).map(|(_, value)| value.to_string_lossy().into_owned());
        Self(Arc::new(Chosen {
            https: https.map(parse),
            http: http.map(parse),
            exempt: NoProxy::new(exempt.as_deref().unwrap_or_default()),
        }))
    }

    /// The proxy that an address is to be asked through.
    pub fn for_url(&self, url: &Url) -> Result<Option<Arc<ProxyServer>>, ProxyError> {
        let chosen = if url.scheme() == "https" { &self.0.https } else { &self.0.http };
        match chosen {
            Some(proxy) if !self.0.exempt.covers(url) => proxy.clone().map(Some),
            _ => Ok(None),
        }
    }

    /// Whether what is asked from this address on can be: an http address may lead to https ones, never the other way.
    /// Where files are is not known yet, so that it matters little whether the address itself is exempt.
    pub fn check(&self, url: &Url) -> Result<(), ProxyError> {
        if self.0.exempt.covers_all() {
            return Ok(());
        }
        let http = self.0.http.as_ref().filter(|_| url.scheme() != "https");
        let flawed = self.0.https.iter().chain(http).find_map(|proxy| proxy.as_ref().err());
        flawed.map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Whether names have to be resolved here for a proxy, which gets one address of each.
    pub(super) fn take_one_address(&self) -> bool {
        let proxies = [&self.0.https, &self.0.http].into_iter().flatten().flatten();
        proxies.into_iter().any(|proxy| proxy.takes_addresses())
    }

    /// The rule for the client. Requests are checked before they are made, so that no flawed proxy is ever come to here.
    pub(super) fn rule(&self) -> reqwest::Proxy {
        let proxies = self.clone();
        reqwest::Proxy::custom(move |url| match proxies.for_url(url) {
            Ok(proxy) => proxy.map(|proxy| proxy.address_with_login()),
            Err(_) => Some("http://proxy.invalid:1".to_owned()),
        })
    }
}

fn parse((variable, value): (ProxyVariable, OsString)) -> Result<Arc<ProxyServer>, ProxyError> {
    let text = value.to_str().ok_or(ProxyFlaw::Text);
    match text.and_then(|text| ProxyServer::parse(variable, text)) {
        Ok(proxy) => Ok(Arc::new(proxy)),
        Err(flaw) => Err(ProxyError { variable, value: shown(&value.to_string_lossy()), flaw }),
    }
}

impl fmt::Display for ProxyVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)?;
        match self.owner {
            EnvironmentOwner::ThisMachine => Ok(()),
            EnvironmentOwner::Box => formatter.write_str(" of the box"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Proxies {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        Proxies::read(EnvironmentOwner::ThisMachine, |name| value(name).map(OsString::from))
    }

    fn chosen(variables: &[(&str, &str)], url: &str) -> String {
        match read(variables).for_url(&Url::parse(url).unwrap()) {
            Ok(None) => "none".to_owned(),
            Ok(Some(proxy)) => proxy.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn variables_count_as_they_do_for_curl() {
        let (http, https) = ("http://hub.example/", "https://hub.example/");
        let is = |name: &str| format!("the proxy p:1 ({name})");
        for (variables, url, expected) in [
            (&[][..], https, "none".to_owned()),
            (&[("HTTPS_PROXY", "p:1")], https, is("HTTPS_PROXY")),
            (&[("HTTPS_PROXY", "q:1"), ("https_proxy", "p:1")], https, is("https_proxy")),
            (&[("HTTPS_PROXY", "p:1"), ("https_proxy", "")], https, is("HTTPS_PROXY")),
            (&[("HTTPS_PROXY", "p:1")], http, "none".to_owned()),
            (&[("HTTP_PROXY", "p:1")], http, is("HTTP_PROXY")),
            (&[("HTTP_PROXY", "p:1"), ("REQUEST_METHOD", "GET")], http, "none".to_owned()),
            (&[("http_proxy", "p:1"), ("REQUEST_METHOD", "GET")], http, is("http_proxy")),
            (&[("ALL_PROXY", "p:1")], http, is("ALL_PROXY")),
            (&[("ALL_PROXY", "q:1"), ("all_proxy", "p:1")], https, is("all_proxy")),
            (&[("all_proxy", "ftp://q"), ("https_proxy", "p:1")], https, is("https_proxy")),
            (&[("all_proxy", "p:1"), ("no_proxy", "hub.example")], https, "none".to_owned()),
            (&[("all_proxy", "p:1"), ("no_proxy", " "), ("NO_PROXY", "*")], https, "none".to_owned()),
            (&[("all_proxy", "p:1"), ("no_proxy", "x"), ("NO_PROXY", "*")], https, is("all_proxy")),
        ] {
            assert_eq!(chosen(variables, url), expected, "{variables:?} {url}");
        }
    }

    #[test]
    fn a_flawed_proxy_is_an_error_where_it_would_be_used() {
        let flawed = ("https_proxy", "htp://user:secret@p:1");
        let checked =
            |variables: &[(&str, &str)], url: &str| read(variables).check(&Url::parse(url).unwrap());
        for (variables, url, is_right) in [
            (&[flawed][..], "https://hub.example", false),
            (&[flawed], "http://hub.example", false),
            (&[flawed, ("no_proxy", "hub.example")], "https://hub.example", false),
            (&[flawed, ("no_proxy", "*")], "https://hub.example", true),
            (&[("http_proxy", "p:x")], "https://hub.example", true),
            (&[("http_proxy", "p:x")], "http://hub.example", false),
            (
                &[("all_proxy", "p:x"), ("http_proxy", "p:1"), ("https_proxy", "p:1")],
                "http://hub.example",
                true,
            ),
        ] {
            assert_eq!(checked(variables, url).is_ok(), is_right, "{variables:?} {url}");
        }
        let error = checked(&[flawed], "https://hub.example").unwrap_err().to_string();
        assert!(
            error.starts_with("https_proxy is `htp://***@p:1`: ") && !error.contains("secret"),
            "{error}"
        );
    }
}

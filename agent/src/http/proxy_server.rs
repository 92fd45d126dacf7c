//! One proxy, as a variable names it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use url::{Host, Url};

use super::proxies::ProxyVariable;
use super::proxy_login::{Login, shown};

/// A proxy, and the variable that names it.
#[derive(Debug)]
pub struct ProxyServer {
    /// The variable.
    pub variable: ProxyVariable,
    pub(super) scheme: ProxyScheme,
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) login: Option<Login>,
    /// It has said that it takes no login.
    pub(super) takes_no_login: AtomicBool,
}

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyScheme {
    Http,
    Https,
    /// SOCKS 5, with names resolved here.
    Socks5,
    /// The same, with names resolved by the proxy.
    Socks5h,
    /// SOCKS 4, which knows addresses of IPv4 alone.
    Socks4,
    /// The same, with names resolved by the proxy.
    Socks4a,
}

/// Why a text names no proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFlaw {
    /// It is no UTF-8.
    #[error("that is no text")]
    Text,
    /// It is of a kind that is not known.
    #[error(
        "`{0}` is no kind of proxy that can be used; http, https, socks4, socks4a, socks5 and socks5h are"
    )]
    Scheme(String),
    /// It names no host.
    #[error("it names no host")]
    Host,
    /// It has a path, and no scheme before it.
    #[error("it is not like http://HOST:PORT")]
    Form,
    /// Its port is none.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// A login that can't be sent.
    #[error("SOCKS 4 knows no login; socks5:// and socks5h:// do")]
    Socks4Login,
    /// A login that does not fit.
    #[error("its user name or its password is longer than 255 bytes")]
    LongLogin,
}

impl ProxyServer {
    /// Reads `scheme://user:password@host:port`. Without a scheme it is an http proxy, as for curl. `socks` is what
    /// desktops and their tools write for SOCKS 5.
    pub(super) fn parse(variable: ProxyVariable, text: &str) -> Result<Self, ProxyFlaw> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if rest.len() == text.len() && rest.trim_end_matches('/').contains('/') {
            return Err(ProxyFlaw::Form);
        }
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => ProxyScheme::Http,
            "https" => ProxyScheme::Https,
            "socks5" => ProxyScheme::Socks5,
            "socks5h" | "socks" => ProxyScheme::Socks5h,
            "socks4" => ProxyScheme::Socks4,
            "socks4a" => ProxyScheme::Socks4a,
            other => return Err(ProxyFlaw::Scheme(shown(other))),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(Login::parse(login)), place),
            None => (None, authority),
        };
        let login = login.filter(|login| !login.user.is_empty() || !login.password.is_empty());
        match (&login, scheme) {
            (Some(_), ProxyScheme::Socks4 | ProxyScheme::Socks4a) => return Err(ProxyFlaw::Socks4Login),
            (Some(login), ProxyScheme::Socks5 | ProxyScheme::Socks5h)
                if login.user.len().max(login.password.len()) > 255 =>
            {
                return Err(ProxyFlaw::LongLogin);
            }
            _ => {}
        }
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port).filter(|port| !port.is_empty())),
            _ => (place, None),
        };
        let port = match port {
            None => scheme.usual_port(),
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(ProxyFlaw::Port),
                Ok(port) if port_is_digits(place) => port,
                Ok(_) => return Err(ProxyFlaw::Port),
            },
        };
        let host = parse_host(host).ok_or(ProxyFlaw::Host)?;
        Ok(Self { variable, scheme, host, port, login, takes_no_login: AtomicBool::new(false) })
    }

    /// Whether it is on this very machine, where no one else hears what is said to it.
    pub fn is_on_this_machine(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }

    /// Whether names are resolved here, and it is told one address.
    pub(super) fn takes_addresses(&self) -> bool {
        matches!(self.scheme, ProxyScheme::Socks4 | ProxyScheme::Socks5)
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref().filter(|_| !self.takes_no_login.load(Ordering::Relaxed))
    }

    /// The proxy as the client takes it: with its login, which is not to be printed.
    pub(super) fn address_with_login(&self) -> String {
        let login = self.login().map(|login| format!("{}@", login.escaped()));
        let scheme = self.scheme.name();
        format!("{scheme}://{}{}:{}", login.unwrap_or_default(), self.host, self.port)
    }
}

impl ProxyScheme {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
            Self::Socks4 => "socks4",
            Self::Socks4a => "socks4a",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h | Self::Socks4 | Self::Socks4a => 1080,
        }
    }
}

/// A host as URLs have it: a name becomes small and ASCII, an address gets its usual form.
fn parse_host(text: &str) -> Option<Host> {
    if text.is_empty()
        || text.contains(|character: char| "/?#@\\".contains(character) || character.is_whitespace())
    {
        return None;
    }
    let url = Url::parse(&format!("http://{text}/")).ok()?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    url.host().filter(|_| is_bare).map(|host| host.to_owned())
}

/// `+80` is a number to Rust, and no port.
fn port_is_digits(place: &str) -> bool {
    place.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for ProxyServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the proxy {}:{} ({})", self.host, self.port, self.variable)
    }
}

#[cfg(test)]
mod tests {
    use super::super::EnvironmentOwner;
    use super::*;

    fn parse(text: &str) -> Result<ProxyServer, ProxyFlaw> {
        let variable = ProxyVariable { name: "ALL_PROXY", owner: EnvironmentOwner::ThisMachine };
        ProxyServer::parse(variable, text)
    }

    #[test]
    fn proxies_are_read_as_people_write_them() {
        for (text, expected) in [
            ("proxy.example:3128", "http://proxy.example:3128"),
            ("http://proxy.example", "http://proxy.example:80"),
            ("HTTP://Proxy.Example:80/", "http://proxy.example:80"),
            ("https://proxy.example", "https://proxy.example:443"),
            ("socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080"),
            ("socks5h://127.0.0.1", "socks5h://127.0.0.1:1080"),
            ("Socks://127.0.0.1:9050/", "socks5h://127.0.0.1:9050"),
            ("socks4://10.0.0.1", "socks4://10.0.0.1:1080"),
            ("socks4a://proxy", "socks4a://proxy:1080"),
            (" http://[::1]:3128 ", "http://[::1]:3128"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://proxy.example:", "http://proxy.example:80"),
            ("http://user:p%40ss%2f@proxy:1", "http://user:p%40ss%2F@proxy:1"),
            ("user@proxy:1", "http://user:@proxy:1"),
            ("http://@proxy:1", "http://proxy:1"),
            ("http://a:b@c@proxy:1", "http://a:b%40c@proxy:1"),
            ("http://münchen.example:1", "http://xn--mnchen-3ya.example:1"),
        ] {
            assert_eq!(parse(text).unwrap().address_with_login(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_told() {
        for (text, expected) in [
            ("ftp://proxy:21", ProxyFlaw::Scheme("ftp".to_owned())),
            ("socks6://proxy:1", ProxyFlaw::Scheme("socks6".to_owned())),
            ("://proxy", ProxyFlaw::Scheme(String::new())),
            ("http://", ProxyFlaw::Host),
            ("http://:3128", ProxyFlaw::Host),
            ("http://a b:1", ProxyFlaw::Host),
            ("http://[::1:3128", ProxyFlaw::Host),
            ("proxy:port", ProxyFlaw::Port),
            ("proxy:0", ProxyFlaw::Port),
            ("proxy:65536", ProxyFlaw::Port),
            ("proxy:+80", ProxyFlaw::Port),
            ("http:/proxy:3128", ProxyFlaw::Form),
            ("proxy:3128/path", ProxyFlaw::Form),
            ("socks4://user@proxy", ProxyFlaw::Socks4Login),
            ("socks4a://user:word@proxy", ProxyFlaw::Socks4Login),
        ] {
            assert_eq!(parse(text).map(|proxy| proxy.to_string()), Err(expected), "{text}");
        }
        let long = format!("socks5://{}@proxy", "u".repeat(256));
        assert!(matches!(parse(&long), Err(ProxyFlaw::LongLogin)));
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "http://user:secret@proxy:1",
            "http://user:sec@secret@proxy:x",
            "user:secret@proxy",
            "ftp://user:secret@proxy",
            "http://user:se/secret@proxy:1",
            "http://user:\u{1b}secret@proxy:1",
        ] {
            assert!(!shown(text).contains("secret") && shown(text).contains("proxy"), "{}", shown(text));
            let debug = format!("{:?}", parse(text));
            assert!(!debug.contains("secret"), "{debug}");
        }
        assert_eq!(parse("http://user:secret@proxy:1").unwrap().to_string(), "the proxy proxy:1 (ALL_PROXY)");
    }
}

//! What is wrong with a proxy, in words that name it and its variable: users must not be sent to look at the Hub.

use std::fmt;

use reqwest::header::{HeaderMap, PROXY_AUTHENTICATE};

use super::proxies::ProxyVariable;
use super::proxy_server::{ProxyScheme, ProxyServer};

/// A proxy that does not do what it is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyFault {
    /// The variable that names it.
    pub variable: ProxyVariable,
    /// What is wrong.
    pub trouble: ProxyTrouble,
    proxy: String,
    form: String,
}

/// What is wrong with a proxy. Texts that come from it are cut, and have no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyTrouble {
    /// Its name can't be resolved.
    Name(String),
    /// It can't be connected to.
    Connect(String),
    /// It says nothing for so many seconds.
    Silent(u64),
    /// It closes the connection without an answer.
    Closed,
    /// Its certificate is refused, or it speaks no TLS.
    Tls(String),
    /// It wants a login, or another one than it got: the ways that it takes.
    Login {
        /// As it names them.
        ways: String,
        /// Whether it was sent one.
        sent: SentLogin,
    },
    /// It takes no login, though one is set. The next connection is made without.
    NoLogin,
    /// It speaks something else than this, which its variable says.
    Stranger(&'static str),
    /// It refuses to connect to the host.
    Refuses {
        /// To what.
        target: String,
        /// With this status of HTTP, or this code of SOCKS.
        code: u16,
        /// In words.
        why: String,
        /// Whether it may be otherwise a moment later.
        passes: bool,
    },
    /// It closes the connection when it is asked for the host.
    HangsUp {
        /// For what.
        target: String,
    },
    /// Names are resolved here for it, and this one can't be; or only to addresses that it does not know.
    Target {
        /// The name.
        host: String,
        /// Why not.
        why: String,
    },
}

/// Whether a proxy was sent a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentLogin {
    /// None is set.
    None,
    /// It was.
    Sent,
}

impl ProxyFault {
    pub(super) fn new(server: &ProxyServer, trouble: ProxyTrouble) -> Self {
        let form = format!("{}://USER:PASSWORD@{}", server.scheme.name(), server.place());
        Self { variable: server.variable, trouble, proxy: server.to_string(), form }
    }

    /// Whether another attempt may find it well.
    pub fn is_passing(&self) -> bool {
        match &self.trouble {
            ProxyTrouble::Name(_)
            | ProxyTrouble::Connect(_)
            | ProxyTrouble::Silent(_)
            | ProxyTrouble::Closed
            | ProxyTrouble::HangsUp { .. }
            | ProxyTrouble::NoLogin => true,
            ProxyTrouble::Refuses { passes, .. } => *passes,
            ProxyTrouble::Tls(_)
            | ProxyTrouble::Login { .. }
            | ProxyTrouble::Stranger(_)
            | ProxyTrouble::Target { .. } => false,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        let variable = self.variable;
        match &self.trouble {
            ProxyTrouble::Login { ways, .. } if is_beyond_us(ways) => {
                format!(
                    "hfdown knows none of these ways to log in; let {variable} name a helper that does (cntlm, px)"
                )
            }
            ProxyTrouble::Login { sent: SentLogin::None, .. } => {
                format!("write its user name and password into {variable}: {}", self.form)
            }
            ProxyTrouble::Login { sent: SentLogin::Sent, .. } => {
                format!(
                    "check the user name and the password in {variable}; characters like @ : / are written as %40 %3A %2F"
                )
            }
            ProxyTrouble::Stranger(_) => {
                format!("check the kind of proxy that {variable} names: http, https, socks4 or socks5h")
            }
            ProxyTrouble::Tls(_) => {
                format!(
                    "most proxies are named with http:// in {variable}, also for https addresses; else let SSL_CERT_FILE name its certificate"
                )
            }
            ProxyTrouble::Target { .. } => {
                format!(
                    "with socks5h:// in {variable}, where the proxy knows that, names are resolved by the proxy"
                )
            }
            // It is not said whether the proxy, its network or the host is at fault.
            ProxyTrouble::Refuses { target, passes: true, .. } | ProxyTrouble::HangsUp { target } => {
                format!(
                    "check that {target} is there and can be reached from the proxy; NO_PROXY lists hosts that are asked without it"
                )
            }
            ProxyTrouble::Refuses { target, passes: false, .. } => {
                format!(
                    "ask whose proxy it is to let {target} through; NO_PROXY lists hosts that are asked without it"
                )
            }
            ProxyTrouble::Name(_)
            | ProxyTrouble::Connect(_)
            | ProxyTrouble::Silent(_)
            | ProxyTrouble::Closed
            | ProxyTrouble::NoLogin => {
                format!(
                    "check the proxy that {variable} names; NO_PROXY lists hosts that are asked without it"
                )
            }
        }
    }
}

impl ProxyTrouble {
    pub(super) fn login(server: &ProxyServer, ways: &str) -> Self {
        let sent = if server.login().is_some() { SentLogin::Sent } else { SentLogin::None };
        Self::Login { ways: printable(ways), sent }
    }
}

/// Whether none of the ways to log in to a proxy of HTTP is one with a user name and a password in the clear.
fn is_beyond_us(ways: &str) -> bool {
    let ways = ways.to_ascii_lowercase();
    !ways.contains("basic")
        && ["ntlm", "negotiate", "digest", "kerberos"].iter().any(|way| ways.contains(way))
}

/// A proxy's text as it may be shown.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let plain = text.trim().chars().map(|character| if character.is_control() { ' ' } else { character });
    plain.take(LONGEST).collect()
}

impl ProxyServer {
    /// What its `407` with these headers says.
    pub fn of_407(&self, headers: &HeaderMap) -> ProxyFault {
        let ways = headers.get_all(PROXY_AUTHENTICATE).into_iter();
        let ways = ways.map(|way| String::from_utf8_lossy(way.as_bytes()).into_owned()).collect::<Vec<_>>();
        ProxyFault::new(self, ProxyTrouble::login(self, &ways.join(", ")))
    }

    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.scheme {
            ProxyScheme::Http | ProxyScheme::Https => "HTTP",
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => "SOCKS 5",
            ProxyScheme::Socks4 | ProxyScheme::Socks4a => "SOCKS 4",
        }
    }
}

impl fmt::Display for ProxyFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.proxy, self.trouble)
    }
}

impl fmt::Display for ProxyTrouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(why) => write!(formatter, "has a name that cannot be resolved: {why}"),
            Self::Connect(why) => write!(formatter, "cannot be connected to: {why}"),
            Self::Silent(seconds) => write!(formatter, "says nothing for {seconds} s"),
            Self::Closed => formatter.write_str("closes the connection without an answer"),
            Self::Tls(why) => write!(formatter, "cannot be spoken to with TLS: {why}"),
            Self::Login { ways, sent } => {
                let what = match sent {
                    SentLogin::None => "wants a login",
                    SentLogin::Sent => "does not accept the user name and the password that it got",
                };
                write!(formatter, "{what} ({})", if ways.is_empty() { "it does not say how" } else { ways })
            }
            Self::NoLogin => formatter.write_str("takes no login; it is asked without one from now on"),
            Self::Stranger(kind) => write!(formatter, "does not answer as a proxy of {kind} does"),
            Self::Refuses { target, code, why, .. } => {
                write!(formatter, "does not connect to {target}: {code} {why}")
            }
            Self::HangsUp { target } => {
                write!(formatter, "closes the connection when it is asked for {target}")
            }
            Self::Target { host, why } => write!(formatter, "cannot be told where {host} is: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::EnvironmentOwner;
    use super::*;
    use reqwest::header::HeaderValue;

    fn server(text: &str) -> ProxyServer {
        let variable = ProxyVariable { name: "HTTPS_PROXY", owner: EnvironmentOwner::Box };
        ProxyServer::parse(variable, text).unwrap()
    }

    #[test]
    fn a_407_names_the_proxy_and_what_it_wants() {
        let wants = |text: &str, ways: &[&'static str]| {
            let headers = ways.iter().map(|way| (PROXY_AUTHENTICATE, HeaderValue::from_static(way)));
            let fault = server(text).of_407(&headers.collect());
            assert!(!fault.is_passing());
            (fault.to_string(), fault.hint())
        };
        let (said, hint) = wants("http://proxy:3128", &["Basic realm=\"acme\""]);
        assert_eq!(
            said,
            "the proxy proxy:3128 (HTTPS_PROXY of the box) wants a login (Basic realm=\"acme\")"
        );
        assert!(hint.ends_with("HTTPS_PROXY of the box: http://USER:PASSWORD@proxy:3128"), "{hint}");
        let (said, hint) = wants("http://user:secret@proxy:3128", &["NTLM", "Basic"]);
        assert!(said.contains("does not accept the user name and the password"), "{said}");
        assert!(hint.starts_with("check the user name") && !(said + &hint).contains("secret"), "{hint}");
        let (_, hint) = wants("http://proxy:3128", &["Negotiate", "NTLM"]);
        assert!(hint.contains("cntlm"), "{hint}");
        let (said, _) = wants("http://proxy:3128", &[]);
        assert!(said.ends_with("wants a login (it does not say how)"), "{said}");
    }
}

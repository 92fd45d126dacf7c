//! Which hosts are asked without a proxy: what `NO_PROXY` lists.

use std::net::IpAddr;

use url::{Host, Url};

/// Names, addresses and networks, separated by commas or blanks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NoProxy(Vec<Exempt>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Exempt {
    All,
    /// This name and all below it, at this port or at any.
    Name(String, Option<u16>),
    Address(IpAddr, Option<u16>),
    /// The addresses that have so many first bits in common with this one.
    Network(IpAddr, u8),
}

impl NoProxy {
    pub(super) fn new(list: &str) -> Self {
        let entries = list.split(|character: char| character == ',' || character.is_whitespace());
        Self(entries.filter(|entry| !entry.is_empty()).map(Exempt::new).collect())
    }

    pub(super) fn covers_all(&self) -> bool {
        self.0.contains(&Exempt::All)
    }

    pub(super) fn covers(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let at = |port: &Option<u16>| port.is_none() || *port == url.port_or_known_default();
        self.0.iter().any(|exempt| match (exempt, &host) {
            (Exempt::All, _) => true,
            (Exempt::Name(name, port), Host::Domain(host)) => is_below(host, name) && at(port),
            (Exempt::Address(address, port), host) => address_of(host) == Some(*address) && at(port),
            (Exempt::Network(network, bits), host) => {
                address_of(host).is_some_and(|address| shares(address, *network, *bits))
            }
            (Exempt::Name(..), _) => false,
        })
    }
}

impl Exempt {
    fn new(entry: &str) -> Self {
        if entry == "*" {
            return Self::All;
        }
        let address = |text: &str| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        if let Some((network, bits)) = entry.split_once('/')
            && let (Some(network), Ok(bits)) = (address(network), bits.parse())
        {
            return Self::Network(network, bits);
        }
        if let Some(address) = address(entry) {
            return Self::Address(address, None);
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()),
            _ => (entry, None),
        };
        let name = || host.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
        address(host).map_or_else(|| Self::Name(name(), port), |address| Self::Address(address, port))
    }
}

fn is_below(host: &str, name: &str) -> bool {
    let host = host.trim_end_matches('.');
    let above = host.strip_suffix(name);
    !name.is_empty() && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

fn address_of(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Domain(_) => None,
    }
}

fn shares(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let bits = u32::from(bits);
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if bits <= 32 => {
            (address.to_bits() ^ network.to_bits()).leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if bits <= 128 => {
            (address.to_bits() ^ network.to_bits()).leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_networks_are_exempt() {
        for (list, host, expected) in [
            ("", "hub.example", false),
            ("*", "hub.example", true),
            ("hub.example", "hub.example", true),
            ("HUB.example", "hub.example", true),
            ("hub.example", "cdn.hub.example", true),
            (".hub.example", "hub.example", true),
            ("*.hub.example", "cdn.hub.example", true),
            ("hub.example.", "hub.example", true),
            ("hub.example", "nohub.example", false),
            ("other.example, hub.example", "hub.example", true),
            ("other.example hub.example", "hub.example", true),
            ("hub.example:8090", "hub.example:8090", true),
            ("hub.example:8090", "hub.example", false),
            ("hub.example:80", "hub.example", true),
            ("127.0.0.1", "127.0.0.1:8090", true),
            ("127.0.0.1:8090", "127.0.0.1:8090", true),
            ("127.0.0.0/8", "127.1.2.3", true),
            ("10.0.0.0/8", "127.0.0.1", false),
            ("0.0.0.0/0", "127.0.0.1", true),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("::1", "[::1]:8090", true),
            ("[::1]", "[::1]", true),
            ("fd00::/8", "[fd00::5]", true),
            ("localhost", "127.0.0.1", false),
            ("0.1", "127.0.0.1", false),
            (".", "hub.example", false),
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(NoProxy::new(list).covers(&url), expected, "{list} {host}");
        }
    }
}

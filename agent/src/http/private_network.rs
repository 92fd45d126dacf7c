//! Which addresses are not the open Internet's: those of the machine itself, of its local network and of its provider.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hfdown_protocol::HubNetwork;
use url::{Host, Url};

/// Whether an address can only be reached from near by, or by nothing at all, whatever form it is written in.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

#[expect(clippy::match_same_arms, reason = "each has its own reason")]
fn is_private_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        // "This network", this machine; RFC 1918; multicast, reserved, broadcast.
        [0 | 127 | 10 | 224..=255, ..] | [172, 16..=31, ..] | [192, 168, ..] => true,
        // Carriers' own (RFC 6598), where some clouds keep their metadata; link-local, where others do.
        [100, 64..=127, ..] | [169, 254, ..] => true,
        // IETF assignments, with one cloud's metadata; Azure's, the same on each of its machines.
        [192, 0, 0, _] | [168, 63, 129, 16] => true,
        _ => false,
    }
}

#[expect(clippy::match_same_arms, reason = "each has its own reason")]
fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // An IPv4 address in the segment of this number and the next.
    let v4 = |at: usize| {
        let [a, b] = segments[at].to_be_bytes();
        let [c, d] = segments[at + 1].to_be_bytes();
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Unspecified and loopback, and IPv4 addresses in the forms ::a.b.c.d, ::ffff:a.b.c.d and ::ffff:0:a.b.c.d.
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] => v4(6),
        // NAT64: the well-known prefix, and that of local networks.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] | [0x64, 0xff9b, 1, ..] => v4(6),
        // 6to4.
        [0x2002, ..] => v4(1),
        // Unique local, link-local, the site-local of old, multicast.
        [0xfc00..=0xfdff | 0xfe80..=0xfeff | 0xff00..=0xffff, ..] => true,
        _ => false,
    }
}

/// In what kind of network the host of an address is, where that can be seen without resolving a name. Parsing has
/// brought every spelling of an IP address (`127.1`, `0x7f000001`, `2130706433`) into its usual form.
pub fn literal_network(url: &Url) -> Option<HubNetwork> {
    let network = |is_private| if is_private { HubNetwork::Private } else { HubNetwork::Public };
    match url.host()? {
        Host::Ipv4(address) => Some(network(is_private_v4(address))),
        Host::Ipv6(address) => Some(network(is_private_v6(address))),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            (name == "localhost" || name.ends_with(".localhost")).then_some(HubNetwork::Private)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_form() {
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:0:192.168.1.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:c0a8:101::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.17",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
            "2606:4700::1111",
            "fbff::1",
            "fe7f::1",
        ] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn the_host_of_an_address_is_seen_through_every_spelling() {
        let (private, public) = (Some(HubNetwork::Private), Some(HubNetwork::Public));
        for (text, expected) in [
            ("http://127.0.0.1:80/", private),
            ("http://127.1/", private),
            ("http://2130706433/", private),
            ("http://0x7f.0.0.1/", private),
            ("http://0177.0.0.1/", private),
            ("http://127.0.0.1./", private),
            ("http://%31%32%37.0.0.1/", private),
            ("http://１２７.０.０.１/", private),
            ("https://0/", private),
            ("http://[::1]/", private),
            ("http://[0:0:0:0:0:ffff:7f00:1]/", private),
            ("http://[::ffff:169.254.169.254]/", private),
            ("http://localhost/", private),
            ("http://LOCALHOST./", private),
            ("http://a.localhost:1/", private),
            ("https://1.1.1.1/", public),
            ("https://[2606:4700::1111]/", public),
            ("https://cdn.example/", None),
            ("https://localhost.example/", None),
            ("https://notlocalhost/", None),
        ] {
            assert_eq!(literal_network(&Url::parse(text).unwrap()), expected, "{text}");
        }
    }
}

//! Which addresses a client may connect to.
//!
//! Tenants write the URLs of their own networks, so a namespaced network must not become a way into
//! the cluster or to a cloud's metadata service. Names are judged by the addresses they resolve to at
//! the moment of connecting, so a name that changes its mind later gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Which addresses may be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressPolicy {
    /// Any address; a proxy from the environment is used.
    Any,
    /// Addresses of the public internet only, reached directly, without a proxy.
    PublicOnly {
        /// Networks that may be reached although they are not public.
        exceptions: Vec<IpNet>,
    },
}

impl AddressPolicy {
    /// Whether `address` may be connected to.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let Self::PublicOnly { exceptions } = self else { return true };
        let address = address.to_canonical();
        exceptions.iter().any(|net| net.contains(&address)) || is_public(address)
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The IPv4 networks that are not the public internet: what IANA's special-purpose registry calls not
/// globally reachable, multicast, the reserved class E, and Azure's metadata, which lies in public space.
const SPECIAL_V4: [Ipv4Net; 16] = [
    // This network.
    v4([0, 0, 0, 0], 8),
    // Private.
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    // Carrier-grade NAT, where clusters and clouds also keep services.
    v4([100, 64, 0, 0], 10),
    // Loopback.
    v4([127, 0, 0, 0], 8),
    // Link-local, with most clouds' metadata.
    v4([169, 254, 0, 0], 16),
    // IETF protocol assignments.
    v4([192, 0, 0, 0], 24),
    // Documentation.
    v4([192, 0, 2, 0], 24),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    // 6to4 relays.
    v4([192, 88, 99, 0], 24),
    // Benchmarking.
    v4([198, 18, 0, 0], 15),
    // Multicast.
    v4([224, 0, 0, 0], 4),
    // Reserved, broadcast.
    v4([240, 0, 0, 0], 4),
    // Azure's metadata.
    v4([168, 63, 129, 16], 32),
];

/// The parts of IPv6's global unicast space that are not the public internet.
const SPECIAL_V6: [Ipv6Net; 4] = [
    // IETF protocol assignments, with Teredo and ORCHID.
    v6(0x2001, 0, 23),
    // Documentation.
    v6(0x2001, 0xdb8, 32),
    v6(0x3fff, 0, 20),
    // 6to4.
    v6(0x2002, 0, 16),
];

/// Global unicast; everything outside of it is special.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

const fn v4([a, b, c, d]: [u8; 4], prefix_length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_length)
}

const fn v6(first: u16, second: u16, prefix_length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), prefix_length)
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|net| net.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // NAT64's well-known prefix carries the IPv4 address that is really reached.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public_v4(embedded_v4(high, low));
    }
    GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
}

fn embedded_v4(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// The system's resolver, with the addresses left out that the policy refuses.
pub(super) struct Resolver {
    pub(super) policy: AddressPolicy,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed = allowed_only(&policy, name.as_str(), found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn allowed_only(
    policy: &AddressPolicy,
    name: &str,
    found: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, AddressesRefused> {
    let (allowed, refused): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| policy.allows(address.ip()));
    match refused.first() {
        Some(address) if allowed.is_empty() => {
            Err(AddressesRefused { name: name.to_owned(), address: address.ip() })
        }
        _ => Ok(allowed),
    }
}

/// A name resolved to refused addresses only.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AddressesRefused {
    name: String,
    address: IpAddr,
}

impl fmt::Display for AddressesRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.name, self.address)
    }
}

impl std::error::Error for AddressesRefused {}

#[cfg(test)]
mod tests {
    use super::*;

    fn public_only() -> AddressPolicy {
        AddressPolicy::PublicOnly { exceptions: Vec::new() }
    }

    #[test]
    fn refuses_all_that_is_not_the_public_internet() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:0a00:0001::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public_only().allows(address.parse().unwrap()), "{address} must be refused");
        }
    }

    #[test]
    fn allows_the_public_internet() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
        ] {
            assert!(public_only().allows(address.parse().unwrap()), "{address} must be allowed");
        }
    }

    #[test]
    fn exceptions_open_their_network_in_every_spelling_and_no_other() {
        let policy = AddressPolicy::PublicOnly { exceptions: vec!["10.1.0.0/16".parse().unwrap()] };

        assert!(policy.allows("10.1.2.3".parse().unwrap()));
        assert!(policy.allows("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!policy.allows("10.2.0.1".parse().unwrap()));
        assert!(!policy.allows("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_name_keeps_its_allowed_addresses_and_fails_when_none_is_left() {
        let mixed = vec!["10.0.0.1:0".parse().unwrap(), "8.8.8.8:0".parse().unwrap()];
        let inside = vec!["10.0.0.1:0".parse().unwrap()];

        assert_eq!(
            allowed_only(&public_only(), "mixed.example", mixed),
            Ok(vec!["8.8.8.8:0".parse().unwrap()])
        );
        assert_eq!(
            allowed_only(&public_only(), "inside.example", inside).unwrap_err().to_string(),
            "inside.example is 10.0.0.1"
        );
    }
}

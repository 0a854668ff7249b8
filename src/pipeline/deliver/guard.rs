//! `allow_private: false`, the guard against destinations inside of the network.
//!
//! What is judged is the address that is connected to, at each connection: whoever controls a name can have it lead to a
//! public address while it is checked, and to a private one afterwards (DNS rebinding). So the guard is the client's
//! resolver, and what it gives is what the client connects to. An address in the URL itself is never resolved, whatever it
//! is written like (`2130706433`, `0x7f.1`, `[::ffff:127.0.0.1]`): it is judged as the file is loaded.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use reqwest::dns::{Addrs, Resolve, Resolving};
use url::{Host, Url};

/// Why an address is refused: what kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Unspecified,
    Loopback,
    Private,
    LinkLocal,
    Shared,
    Metadata,
    Documentation,
    Multicast,
    Reserved,
}

/// A name that leads to refused addresses alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it leads to {0}, which `allow_private: false` refuses")]
pub(super) struct RefusedAddress(pub(super) Kind);

/// A name of which no addresses are known.
#[derive(Debug, thiserror::Error)]
#[error("the name could not be resolved")]
pub(super) struct Unresolved(#[source] io::Error);

/// How names become addresses.
pub(super) trait Lookup: Send + Sync + 'static {
    /// Every address of a name.
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The operating system's resolver.
struct SystemLookup;

/// The resolver of each client.
#[derive(Clone)]
pub(super) struct Resolver {
    lookup: Arc<dyn Lookup>,
    /// Whether it gives public addresses alone.
    public_only: bool,
}

type BoxError = Box<dyn Error + Send + Sync>;

// === impl Kind ===

impl Kind {
    /// What kind of an address that is not public this is; `None` for a public one. By the special-purpose registries of
    /// IANA (RFC 6890), and for IPv6 the other way round: but for what is known to be public, all is refused.
    pub(super) fn of(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    /// What kind of an address that is not public a URL names by itself, without a resolver.
    pub(super) fn named_by(url: &Url) -> Option<Self> {
        match url.host()? {
            Host::Ipv4(ip) => Self::of_v4(ip),
            Host::Ipv6(ip) => Self::of_v6(ip),
            // RFC 6761, section 6.3.
            Host::Domain(name) => {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                (name == "localhost" || name.ends_with(".localhost")).then_some(Self::Loopback)
            }
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Option<Self> {
        match ip.octets() {
            // Those of AWS, Azure, Google and others; of Alibaba; of Oracle; Azure's own, which is in no special block.
            [169, 254, 169, 254] | [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] => Some(Self::Metadata),
            [0, ..] => Some(Self::Unspecified),
            [127, ..] => Some(Self::Loopback),
            // RFC 1918.
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Self::Private),
            [169, 254, ..] => Some(Self::LinkLocal),
            // RFC 6598: behind a provider's address translation.
            [100, 64..=127, ..] => Some(Self::Shared),
            [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some(Self::Documentation),
            [224..=239, ..] => Some(Self::Multicast),
            // Protocol assignments, the old relays of 6to4, benchmarks (RFC 2544), and the rest, with the broadcast.
            [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] | [240..=255, ..] => Some(Self::Reserved),
            _ => None,
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = ip.segments();
        let v4 = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Self::of_v4(Ipv4Addr::new(a, b, c, d))
        };
        match (a, b) {
            _ if ip.is_unspecified() => Some(Self::Unspecified),
            _ if ip.is_loopback() => Some(Self::Loopback),
            // IPv4-mapped, and NAT64 (RFC 6052): what is connected to is the address inside.
            (0, 0) if [c, d, e, f] == [0, 0, 0, 0xffff] => v4(g, h),
            (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => v4(g, h),
            // IPv4-compatible, which nobody uses any more.
            (0, 0) if [c, d, e, f] == [0; 4] => v4(g, h).or(Some(Self::Reserved)),
            // AWS, and Google.
            (0xfd00, 0x0ec2) if h == 0x254 => Some(Self::Metadata),
            (0xfd20, 0x00ce) if h == 0x254 => Some(Self::Metadata),
            // RFC 4193, and the site-local addresses of old.
            (0xfc00..=0xfdff | 0xfec0..=0xfeff, _) => Some(Self::Private),
            (0xfe80..=0xfebf, _) => Some(Self::LinkLocal),
            (0xff00..=0xffff, _) => Some(Self::Multicast),
            (0x2001, 0x0db8) | (0x3fff, 0..=0x0fff) => Some(Self::Documentation),
            // Protocol assignments, with Teredo, which has an IPv4 address inside.
            (0x2001, 0..=0x01ff) => Some(Self::Reserved),
            // 6to4 (RFC 3056).
            (0x2002, _) => v4(b, c),
            (0x2000..=0x3fff, _) => None,
            _ => Some(Self::Reserved),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "an address behind a provider's translation (100.64.0.0/10)",
            Self::Metadata => "the metadata service of a cloud",
            Self::Documentation => "an address of documentation",
            Self::Multicast => "a multicast address",
            Self::Reserved => "a reserved address",
        })
    }
}

// === impl Resolver ===

impl Resolver {
    /// Gives what the operating system does.
    pub(super) fn system(public_only: bool) -> Self {
        Self::new(SystemLookup, public_only)
    }

    /// Gives what `lookup` does.
    pub(super) fn new(lookup: impl Lookup, public_only: bool) -> Self {
        Self { lookup: Arc::new(lookup), public_only }
    }

    /// The addresses of a name that may be connected to.
    fn addresses(&self, name: &str) -> BoxFuture<'static, Result<vec::IntoIter<SocketAddr>, BoxError>> {
        let (found, public_only) = (self.lookup.lookup(name.to_owned()), self.public_only);
        async move {
            let found = found.await.map_err(Unresolved)?;
            let allowed = if public_only { public(found)? } else { found };
            Ok(allowed.into_iter())
        }
        .boxed()
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let addresses = self.addresses(name.as_str());
        Box::pin(async move { Ok(Box::new(addresses.await?) as Addrs) })
    }
}

impl tower_service::Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        self.addresses(name.as_str())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("public_only", &self.public_only).finish_non_exhaustive()
    }
}

/// The public ones of a name's addresses; where there are none, why. A name without addresses stays one.
fn public(addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, RefusedAddress> {
    let refused = addresses.iter().find_map(|address| Kind::of(address.ip()));
    let public: Vec<_> = addresses.into_iter().filter(|address| Kind::of(address.ip()).is_none()).collect();
    match refused {
        Some(kind) if public.is_empty() => Err(RefusedAddress(kind)),
        _ => Ok(public),
    }
}

// === impl SystemLookup ===

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        // The client puts the URL's port in the place of 0.
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(ip: &str) -> Option<Kind> {
        Kind::of(ip.parse().unwrap())
    }

    /// The blocks that are refused, by the registries and not by the code: network, length of its prefix.
    const V4: [(&str, u32); 18] = [
        ("0.0.0.0", 8),
        ("10.0.0.0", 8),
        ("100.64.0.0", 10),
        ("127.0.0.0", 8),
        ("168.63.129.16", 32),
        ("169.254.0.0", 16),
        ("172.16.0.0", 12),
        ("192.0.0.0", 24),
        ("192.0.2.0", 24),
        ("192.88.99.0", 24),
        ("192.168.0.0", 16),
        ("198.18.0.0", 15),
        ("198.51.100.0", 24),
        ("203.0.113.0", 24),
        ("224.0.0.0", 4),
        ("240.0.0.0", 4),
        ("255.255.255.255", 32),
        ("100.100.100.200", 32),
    ];

    fn in_block(ip: u32, (network, length): (&str, u32)) -> bool {
        let network: u32 = network.parse::<Ipv4Addr>().unwrap().into();
        (ip ^ network).leading_zeros() >= length
    }

    fn some_of_the_blocks() -> impl Strategy<Value = u32> {
        (prop::sample::select(V4.to_vec()), any::<u32>()).prop_map(|((network, length), random)| {
            let network: u32 = network.parse::<Ipv4Addr>().unwrap().into();
            network | random.checked_shr(length).unwrap_or(0)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn an_ipv4_address_is_refused_exactly_where_a_registry_lists_its_block(
            ip in prop_oneof![any::<u32>(), some_of_the_blocks()],
        ) {
            let listed = V4.iter().any(|block| in_block(ip, *block));
            prop_assert_eq!(Kind::of(IpAddr::V4(ip.into())).is_some(), listed);
        }

        #[test]
        fn an_ipv4_address_inside_of_an_ipv6_one_is_judged_as_itself(
            ip in prop_oneof![any::<u32>(), some_of_the_blocks()],
            rest in any::<u128>(),
        ) {
            let v4 = Ipv4Addr::from(ip);
            let plain = Kind::of(IpAddr::V4(v4));
            let v6 = |bits: u128| Kind::of(IpAddr::V6(Ipv6Addr::from(bits)));
            prop_assert_eq!(Kind::of(IpAddr::V6(v4.to_ipv6_mapped())), plain);
            prop_assert_eq!(v6((0x0064_ff9b << 96) | u128::from(ip)), plain, "NAT64");
            prop_assert_eq!(v6((0x2002 << 112) | (u128::from(ip) << 80) | (rest >> 48)), plain, "6to4");
            prop_assert!(v6(u128::from(ip)).is_some(), "IPv4-compatible");
        }

        #[test]
        fn an_ipv6_address_outside_of_global_unicast_is_refused(bits in any::<u128>()) {
            let ip = Ipv6Addr::from(bits);
            let global = bits >> 125 == 1;
            let inside = ip.to_ipv4_mapped().is_some() || bits >> 32 == 0x0064_ff9b << 64;
            prop_assume!(!global && !inside);
            prop_assert!(Kind::of(IpAddr::V6(ip)).is_some(), "{}", ip);
        }
    }

    #[test]
    fn each_class_has_its_name() {
        for (ip, expected) in [
            ("127.0.0.1", Kind::Loopback),
            ("::1", Kind::Loopback),
            ("::ffff:127.0.0.1", Kind::Loopback),
            ("0.0.0.0", Kind::Unspecified),
            ("::", Kind::Unspecified),
            ("10.1.2.3", Kind::Private),
            ("fd12::1", Kind::Private),
            ("fec0::1", Kind::Private),
            ("100.64.0.1", Kind::Shared),
            ("169.254.1.1", Kind::LinkLocal),
            ("fe80::1", Kind::LinkLocal),
            ("169.254.169.254", Kind::Metadata),
            ("fd00:ec2::254", Kind::Metadata),
            ("64:ff9b::a9fe:a9fe", Kind::Metadata),
            ("2002:a9fe:a9fe::1", Kind::Metadata),
            ("192.0.2.1", Kind::Documentation),
            ("2001:db8::1", Kind::Documentation),
            ("3fff::1", Kind::Documentation),
            ("224.0.0.1", Kind::Multicast),
            ("ff02::1", Kind::Multicast),
            ("255.255.255.255", Kind::Reserved),
            ("2001::1", Kind::Reserved),
            ("64:ff9b:1::1", Kind::Reserved),
            ("::8.8.8.8", Kind::Reserved),
        ] {
            assert_eq!(kind(ip), Some(expected), "{ip}");
        }
        for ip in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2001:4860:4860::8888", "64:ff9b::808:808"]
        {
            assert_eq!(kind(ip), None, "{ip}");
        }
    }

    #[test]
    fn an_address_in_a_url_is_seen_however_it_is_written() {
        for host in [
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "[::ffff:127.0.0.1]",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
        ] {
            let url = Url::parse(&format!("http://{host}:8080/x")).unwrap();
            assert_eq!(Kind::named_by(&url), Some(Kind::Loopback), "{host}");
        }
        for host in ["1.1.1.1", "crm.example.com", "localhost.example.com", "notlocalhost"] {
            assert_eq!(Kind::named_by(&Url::parse(&format!("http://{host}/")).unwrap()), None, "{host}");
        }
    }

    #[test]
    fn of_several_addresses_the_public_ones_are_left() {
        let addresses = |ips: &[&str]| ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect::<Vec<_>>();
        let left = |ips: &[&str]| {
            public(addresses(ips)).map(|found| found.iter().map(|found| found.ip().to_string()).collect())
        };
        assert_eq!(left(&["10.0.0.1", "1.1.1.1", "::1"]), Ok(vec!["1.1.1.1".to_owned()]));
        assert_eq!(left(&["10.0.0.1", "::1"]), Err(RefusedAddress(Kind::Private)));
        assert_eq!(left(&[]), Ok(vec![]), "that a name has no address is another matter");
    }
}

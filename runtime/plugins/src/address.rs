//! Which resolved addresses a plugin may reach
//!
//! Applied to what the name look-up returned, so that a granted public name cannot be pointed at the worker's own
//! network. IPv6 forms that carry an IPv4 address are judged by that address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address or a range in the `a.b.c.d/bits` form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AddressRange {
    network: IpAddr,
    bits: u8,
}

impl AddressRange {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let malformed = || format!("{text} is not an address range");
        let (network, bits) = text.split_once('/').ok_or_else(malformed)?;
        let network: IpAddr = network.parse().map_err(|_| malformed())?;
        let bits: u8 = bits.parse().map_err(|_| malformed())?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        if bits > width {
            return Err(malformed());
        }
        Ok(Self { network, bits })
    }

    /// The range of one address.
    pub(crate) fn of(address: IpAddr) -> Self {
        let network = address.to_canonical();
        Self {
            network,
            bits: if network.is_ipv4() { 32 } else { 128 },
        }
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(u32::from(32 - self.bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(u32::from(128 - self.bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// True for an address of the public internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Carrier-grade NAT, IETF protocol assignments, benchmarking.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(carried) = carried_v4(address) {
        return is_public_v4(carried);
    }
    let [first, ..] = address.segments();
    // 2000::/3 is all that is handed out; documentation 2001:db8::/32 is in it.
    first & 0xe000 == 0x2000 && !matches!(address.segments(), [0x2001, 0x0db8, ..])
}

/// The IPv4 address inside a mapped, compatible, NAT64 or 6to4 address.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(join(high, low))
        }
        [0, 0, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let check = |text: &str| is_public(text.parse().expect("an address"));
        for public in [
            "1.1.1.1",
            "93.184.216.34",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "2002:101:101::",
        ] {
            assert!(check(public), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "100.64.0.1",
            "198.18.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "::127.0.0.1",
            "2001:db8::1",
        ] {
            assert!(!check(private), "{private}");
        }
    }

    #[test]
    fn a_range_holds_its_addresses_in_mapped_form_too() {
        let range = AddressRange::parse("10.0.0.0/8").expect("parses");
        let holds = |text: &str| range.contains(text.parse().expect("an address"));
        assert!(holds("10.255.0.1"));
        assert!(holds("::ffff:10.0.0.1"));
        assert!(!holds("11.0.0.1"));
        assert!(
            AddressRange::parse("0.0.0.0/0")
                .expect("parses")
                .contains("9.9.9.9".parse().expect("address"))
        );
        assert!(AddressRange::parse("10.0.0.0/33").is_err());
    }
}

//! What traffic costs.

use crate::fleet::Price;

/// Dollars for bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct TrafficCost {
    /// For those that came over the network.
    pub(crate) fetched: f64,
    /// For those that did not have to.
    pub(crate) spared: f64,
}

impl Price {
    /// Dollars for so many bytes.
    pub(crate) fn of(self, bytes: u64) -> f64 {
        self.dollars_per_tb * (bytes as f64 / 1e12)
    }
}

impl std::ops::Add for TrafficCost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { fetched: self.fetched + other.fetched, spared: self.spared + other.spared }
    }
}

/// An amount as it is read: `$0.27`, `< $0.01`, `$0`, `$1234`. No cent is invented.
pub(crate) fn dollars(amount: f64) -> String {
    if !amount.is_finite() || amount <= 0.0 {
        "$0".to_owned()
    } else if amount < 0.01 {
        "< $0.01".to_owned()
    } else if amount < 1_000.0 {
        format!("${amount:.2}")
    } else {
        format!("${amount:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_honestly() {
        for (amount, text) in [
            (0.0, "$0"),
            (0.000_1, "< $0.01"),
            (0.009_9, "< $0.01"),
            (0.268, "$0.27"),
            (12.0, "$12.00"),
            (1_234.4, "$1234"),
            (f64::NAN, "$0"),
            (-1.0, "$0"),
        ] {
            assert_eq!(dollars(amount), text);
        }
        assert_eq!(dollars(Price { dollars_per_tb: 20.0 }.of(13_400_000_000)), "$0.27");
    }
}

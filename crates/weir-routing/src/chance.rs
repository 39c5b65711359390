//! Chance as an argument.

/// A source of random bits. Not for secrets.
pub trait Chance {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// A number below `bound`, each as likely as the other; zero when `bound` is zero.
    ///
    /// Lemire, "Fast Random Integer Generation in an Interval" (ACM TOMACS 29:1, 2019): one multiplication, and a
    /// division only in the rare case that a draw might be biased.
    fn below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if low(product) < bound {
            let unfair = bound.wrapping_neg() % bound;
            while low(product) < unfair {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        high(product)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
const fn low(product: u128) -> u64 {
    product as u64
}

#[allow(clippy::cast_possible_truncation, reason = "shifted by 64, it fits")]
const fn high(product: u128) -> u64 {
    (product >> 64) as u64
}

/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). The same seed gives
/// the same sequence on every machine.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator whose whole sequence follows from `seed`.
    pub const fn seeded(seed: u64) -> Self {
        SplitMix64(seed)
    }
}

impl Chance for SplitMix64 {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Draws zero for ever.
#[cfg(test)]
pub(crate) struct Zero;

#[cfg(test)]
impl Chance for Zero {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut chance = SplitMix64::seeded(1_234_567);
        // The reference values for this seed, as other implementations of the algorithm state them.
        let expect = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        for value in expect {
            assert_eq!(chance.next_u64(), value);
        }
    }

    #[test]
    fn nothing_is_below_zero() {
        assert_eq!(SplitMix64::seeded(1).below(0), 0);
    }

    #[test]
    fn a_draw_that_would_be_unfair_is_drawn_again() {
        // 2^64 mod 3 = 1: of the draws, exactly the one whose low product half is 0 must be rejected.
        struct Script(Vec<u64>);
        impl Chance for Script {
            fn next_u64(&mut self) -> u64 {
                self.0.remove(0)
            }
        }
        let mut chance = Script(vec![0, u64::MAX]);
        assert_eq!(chance.below(3), 2);
        assert!(chance.0.is_empty());
    }

    proptest! {
        #[test]
        fn a_draw_stays_below_its_bound(seed: u64, bound in 1u64..) {
            prop_assert!(SplitMix64::seeded(seed).below(bound) < bound);
        }
    }
}

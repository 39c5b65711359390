use super::*;

#[test]
fn the_normal_distribution_is_the_tables() {
    for (x, expect) in [(0.0, 0.5), (1.0, 0.841_345), (1.644_854, 0.95), (-2.326_348, 0.01)] {
        assert!((normal_cdf(x) - expect).abs() < 1e-6, "{x}: {}", normal_cdf(x));
    }
}

#[test]
fn budgets_are_kept_at_nearly_the_oracles_price() {
    for line in compare(&FLEET, &[60, 95], 20.0, 4000, 1) {
        assert!(line.oracle.share >= SHARE, "even the oracle cannot: {line:?}");
        assert!(line.policy.share >= SHARE, "{line:?}");
        assert!(line.policy.cost <= 1.1 * line.oracle.cost, "{line:?}");
    }
}

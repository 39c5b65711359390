//! The configuration in force as the operator sees it: what the file says, and what follows where it says nothing.

use serde_json::{Value as Json, json};
use weir_config::{Config, duration_text};
use weir_core::Timeouts;
use weir_net::OriginSettings;
use weir_provider::Probe;

/// The configuration with every default filled in, those of the kinds and of the connection pools included. Secrets are
/// left out.
///
/// The time limits of a deployment are those that hold there when its route sets none. `null` is left where absence has a
/// meaning of its own.
pub(crate) fn shown(config: &Config) -> Json {
    let mut shown = config.redacted_json();
    for provider in &config.providers {
        let kind = weir_provider::kind(&provider.kind.value);
        let own = kind.and_then(|kind| kind.base_url);
        let entry = &mut shown["providers"][&*provider.name];
        fill(&mut entry["gauges"]["enabled"], kind.map(|kind| json!(kind.gauges)));
        fill(&mut entry["base_url"], own.map(|url| json!(url)));
        fill(&mut entry["pool"]["idle"], Some(json!(duration_text(OriginSettings::IDLE))));
        fill(&mut entry["pool"]["max_age"], Some(json!(duration_text(OriginSettings::MAX_AGE))));
    }
    for deployment in &config.deployments {
        let above = config.providers.get(deployment.provider).map_or_else(Timeouts::default, |p| p.timeouts);
        let limits = deployment.timeouts.or(above);
        let times = [
            ("connect", limits.connect.or(Some(Timeouts::CONNECT))),
            ("first_byte", limits.first_byte),
            ("idle", limits.idle.or(Some(Timeouts::IDLE))),
            ("total", limits.total),
        ];
        if let Some(check) = deployment.health.as_ref().filter(|check| check.probe.is_none()) {
            let kind =
                config.providers.get(deployment.provider).and_then(|p| weir_provider::kind(&p.kind.value));
            let own = if check.path.is_some() { Some(Probe::Path) } else { kind.map(|kind| kind.probe) };
            let entry = &mut shown["deployments"][&*deployment.name]["health"]["probe"];
            fill(entry, own.map(|probe| json!(probe.name())));
        }
        let entry = &mut shown["deployments"][&*deployment.name]["timeouts"];
        for (key, time) in times {
            fill(&mut entry[key], time.map(|time| json!(duration_text(time))));
        }
    }
    for route in &config.routes {
        let total = &mut shown["routes"][&*route.name]["timeouts"]["total"];
        fill(total, Some(json!(duration_text(Timeouts::TOTAL))));
    }
    shown
}

/// Puts `default` where nothing was said.
fn fill(place: &mut Json, default: Option<Json>) {
    if place.is_null()
        && let Some(default) = default
    {
        *place = default;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_config::ProcessEnvironment;

    #[test]
    fn what_the_file_leaves_out_is_filled_in() {
        let text = "providers:\n  \
                      p: { kind: openai, api_key: canary-key, timeouts: { idle: 7s, total: 1m }, pool: { idle: 3s } }\n\
                    deployments: { d: { provider: p, model: m, timeouts: { connect: 1s } } }\n\
                    routes: { r: { deployments: [d] } }\n";
        let config = weir_config::parse("t.yaml", text, &ProcessEnvironment).unwrap();
        let shown = shown(&config);
        let provider = &shown["providers"]["p"];
        assert_eq!(provider["base_url"], "https://api.openai.com/v1");
        assert_eq!(
            provider["pool"],
            json!({ "idle": "3s", "max_age": duration_text(OriginSettings::MAX_AGE) })
        );
        let limits = &shown["deployments"]["d"]["timeouts"];
        assert_eq!((&limits["connect"], &limits["idle"]), (&json!("1s"), &json!("7s")));
        assert_eq!(limits["total"], "1m", "one call's, whatever the route's");
        assert_eq!(shown["routes"]["r"]["timeouts"]["total"], "10m");
        assert!(!shown.to_string().contains("canary"), "{shown}");
    }

    /// The catalogue and the roster of kinds know the same vendors by the same names and hosts.
    #[test]
    fn the_catalogue_knows_kinds_by_their_addresses() {
        let catalog = weir_config::catalog::Catalog::embedded().unwrap();
        let name = |vendor: Option<&weir_config::catalog::Vendor>| vendor.map(|vendor| vendor.name.clone());
        let mut known = 0;
        for kind in weir_provider::kinds() {
            let Some(vendor) = catalog.vendor_of(kind.name, None) else { continue };
            known += 1;
            // One whose address is made of settings is known by its kind alone.
            if !vendor.anywhere && kind.base_url.is_some() {
                let by_host = catalog.vendor_of("unheard of", kind.base_url);
                assert_eq!(name(by_host), name(Some(vendor)), "{}", kind.name);
            }
        }
        assert!(known >= 7, "{known}");
    }
}

//! The configuration of the demo's router, as text that could stand in a file.

use super::fleet::{Character, DemoRoute};
use std::fmt::Write;
use std::net::SocketAddr;

/// Where the router listens. Port 0 is a free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub public: u16,
    pub admin: u16,
}

/// The text. `servers` and `addresses` belong together.
pub(super) fn yaml(
    servers: &[Character],
    addresses: &[SocketAddr],
    routes: &[DemoRoute],
    ports: Ports,
) -> String {
    let mut out = format!(
        "server:\n  listen: 127.0.0.1:{}\n  admin: {{ listen: 127.0.0.1:{} }}\n  cores: 2\n  grace: 2s\n\
         telemetry:\n  access_log: {{ enabled: false }}\n",
        ports.public, ports.admin
    );
    // Writing to a string cannot fail.
    let _ = write_upstreams(&mut out, servers, addresses);
    let _ = write_routes(&mut out, servers, routes);
    out
}

fn write_upstreams(out: &mut String, servers: &[Character], addresses: &[SocketAddr]) -> std::fmt::Result {
    writeln!(out, "providers:")?;
    for (server, address) in servers.iter().zip(addresses) {
        writeln!(out, "  {}: {{ kind: openai, base_url: \"http://{address}/v1\" }}", server.name)?;
    }
    writeln!(out, "deployments:")?;
    for server in servers {
        let Character { name, input, output, weight, .. } = server;
        let price = format!("{{ input: {input}, output: {output} }}");
        writeln!(out, "  {name}: {{ provider: {name}, model: {name}, price: {price}, weight: {weight} }}")?;
    }
    Ok(())
}

fn write_routes(out: &mut String, servers: &[Character], routes: &[DemoRoute]) -> std::fmt::Result {
    writeln!(out, "routes:")?;
    for route in routes {
        let names: Vec<&str> = servers.iter().map(|s| s.name).filter(|name| route.has(name)).collect();
        writeln!(out, "  {}:\n    deployments: [{}]", route.name, names.join(", "))?;
        if let Some(fallback) = route.fallback {
            writeln!(out, "    fallbacks: [{fallback}]")?;
        }
        writeln!(out, "    retries: {{ max: {}, base: 100ms, cap: 1s }}", route.retries)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::fleet::{ROUTES, SERVERS};
    use weir_config::{ProcessEnvironment, Reader};
    use weir_engine::{Engine, Rosters};

    #[test]
    fn the_text_is_a_configuration_that_serves() {
        let addresses: Vec<SocketAddr> = (9001..9007).map(|port| ([127, 0, 0, 1], port).into()).collect();
        let text = yaml(&SERVERS, &addresses, &ROUTES, Ports { public: 7600, admin: 0 });
        let mut draft = Reader::new(&ProcessEnvironment).parse("demo", &text);
        Engine::review(&mut draft, Rosters::BUILT_IN);
        let (config, warnings) = draft.finish().unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(warnings, [], "{text}");
        assert_eq!(config.server.listen.port(), 7600);
        assert!(config.telemetry.access_log.is_none());
        assert_eq!(config.deployments.len(), SERVERS.len());
        assert_eq!(config.routes.len(), ROUTES.len());
        for (deployment, server) in config.deployments.iter().zip(&SERVERS) {
            let weir_core::Pricing::PerUse(prices) = &deployment.pricing else { panic!("{}", server.name) };
            let rate = |rate| prices.rates().stated(rate).unwrap();
            assert_eq!((&*deployment.name, deployment.weight), (server.name, server.weight));
            assert_eq!(
                (rate(weir_core::Rate::Input), rate(weir_core::Rate::Output)),
                (server.input, server.output)
            );
        }
        for (index, (provider, address)) in config.providers.iter().zip(&addresses).enumerate() {
            assert_eq!(provider.base_url.as_ref().unwrap().value, format!("http://{address}/v1"));
            assert_eq!(config.deployments[index].provider, index);
        }
        for (route, wanted) in config.routes.iter().zip(&ROUTES) {
            let names: Vec<&str> =
                route.deployments.iter().map(|(index, _)| &*config.deployments[*index].name).collect();
            let expect: Vec<&str> = SERVERS.iter().map(|s| s.name).filter(|name| wanted.has(name)).collect();
            assert_eq!((&*route.name, names), (wanted.name, expect));
            let fallback = route.fallbacks.first().map(|fallback| &*config.routes[fallback.route].name);
            assert_eq!((fallback, route.retries.max), (wanted.fallback, wanted.retries));
        }
    }
}

//! Opening one connection.

use crate::connection::Socket;
use crate::origin::Origin;
use crate::setup::Setup;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use weir_core::{Class, Fault};

/// Opens a connection to one of `addresses`, the first that accepts.
///
/// All but the last may take a share of `within` each, so that an address that swallows packets does not use up the
/// time of one that answers. `began` is when the name was looked up; `setup` is told what took how long since.
pub(crate) async fn connect(
    origin: &Origin,
    addresses: &[SocketAddr],
    within: Duration,
    began: Instant,
    setup: &mut Setup,
) -> Result<(Socket, Instant), Fault> {
    let mut last = "the name has no address".to_owned();
    for (index, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        // The last one has what is left, which the caller limits.
        let share = if left == 1 { within * 2 } else { within / (left + 1) };
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let connected = Instant::now();
                setup.connect = connected.saturating_duration_since(began);
                let socket = handshake(origin, stream).await?;
                let open = match socket {
                    Socket::Plain(_) => connected,
                    Socket::Tls(_) => Instant::now(),
                };
                setup.tls = open.saturating_duration_since(connected);
                return Ok((socket, open));
            }
            Ok(Err(e)) => last = format!("connect: {e}"),
            Err(_) => last = format!("no connection within {share:?}"),
        }
    }
    Err(unreachable(last))
}

async fn handshake(origin: &Origin, stream: TcpStream) -> Result<Socket, Fault> {
    stream.set_nodelay(true).map_err(|e| unreachable(format!("TCP_NODELAY: {e}")))?;
    let Some((config, name)) = &origin.tls else { return Ok(Socket::Plain(stream)) };
    let connector = tokio_rustls::TlsConnector::from(config.clone());
    let tls = connector.connect(name.clone(), stream).await;
    tls.map(|tls| Socket::Tls(Box::new(tls))).map_err(|e| unreachable(format!("TLS: {e}")))
}

pub(crate) fn unreachable(cause: String) -> Fault {
    Fault::new(Class::Network, 502, "upstream_unreachable", "the connection to the model's server failed")
        .with_cause(cause)
}

//! TLS to upstreams: who is not known is not talked to.
//!
//! The certificates beside this file are for `localhost` and `127.0.0.1` (`other-name.pem`: for `elsewhere.test`), of one
//! throw-away key, `server.key`; all but `self-signed.pem` are signed by `authority.pem`, whose key was thrown away.
//! `expired.pem` was valid in January 2020, the others are until 2120.

use super::{CHAT, NO_RETRY, assert_typed, call, weir, weir_with};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use weir_testkit::{Answer, Upstream};

const KEY: &[u8] = include_bytes!("server.key");
const GOOD: &[u8] = include_bytes!("good.pem");
const EXPIRED: &[u8] = include_bytes!("expired.pem");
const SELF_SIGNED: &[u8] = include_bytes!("self-signed.pem");
const OTHER_NAME: &[u8] = include_bytes!("other-name.pem");

fn authority() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults/authority.pem")
}

/// A model server behind TLS that gives every call the same answer.
fn serve(certificate: &[u8]) -> SocketAddr {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that does not like the certificate ends the connection: that is the other side's row.
            if let Err(error) = stream.and_then(|stream| answer(stream, &config)) {
                eprintln!("TLS server: {error}");
            }
        }
    });
    addr
}

fn answer(stream: TcpStream, config: &Arc<ServerConfig>) -> std::io::Result<()> {
    let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"}") {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&buffer[..read]);
    }
    let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"over TLS"},"finish_reason":"stop"}]}"#;
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// U13: a certificate that is expired, unknown or somebody else's is a 502 and no call; a good one of the configured
/// authority, by address and by name, is an answer.
#[test]
fn only_a_good_certificate_of_a_known_authority_is_talked_to() {
    let trusted = format!(", tls: {{ ca: '{}' }}", authority().display());
    let rows = [
        ("good, by address", GOOD, "127.0.0.1", &*trusted, true),
        ("good, by name", GOOD, "localhost", &*trusted, true),
        ("expired", EXPIRED, "127.0.0.1", &*trusted, false),
        ("self-signed", SELF_SIGNED, "127.0.0.1", &*trusted, false),
        ("somebody else's", OTHER_NAME, "127.0.0.1", &*trusted, false),
        ("authority unknown to the system", GOOD, "127.0.0.1", "", false),
    ];
    for (row, certificate, host, tls, good) in rows {
        let port = serve(certificate).port();
        let weir = weir_with(&format!("base_url: 'https://{host}:{port}/v1'{tls}"), NO_RETRY);
        let reply = weir.post(CHAT, &[], &call(false));
        if good {
            assert_eq!(reply.status, 200, "{row}: {}", reply.text());
            assert_eq!(reply.json()["choices"][0]["message"]["content"], "over TLS", "{row}");
            let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
            for phase in ["connect_ms", "tls_ms", "first_byte_ms"] {
                assert!(entry[phase].as_f64().is_some_and(|ms| ms > 0.0), "{row}: {phase} of {entry}");
            }
            continue;
        }
        assert_typed(row, &reply, 502, "upstream_unreachable");
        let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
        assert!(entry["cause"].as_str().unwrap().contains("TLS"), "{row}: the log says what it was: {entry}");
        for _ in 1..5 {
            weir.post(CHAT, &[], &call(false));
        }
        assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d")]), Some(2.0), "{row}");
    }
}

/// U13: `https` to a server that speaks plain HTTP.
#[test]
fn a_plain_server_is_not_taken_for_a_tls_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // Answers at once, as servers do that find no HTTP in a TLS greeting.
            if let Err(error) = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n") {
                eprintln!("plain server: {error}");
            }
        }
    });
    let weir_tls = weir(&format!("https://{addr}/v1"), NO_RETRY);
    assert_typed("TLS to a plain port", &weir_tls.post(CHAT, &[], &call(false)), 502, "upstream_unreachable");
    // One that waits for the rest of what it takes for a head is cut off by the connect limit.
    let silent = Upstream::start();
    silent.always(Answer::never());
    let url = format!("https://{}/v1", silent.addr());
    let weir_silent = weir(&url, &format!("{NO_RETRY}, timeouts: {{ connect: 300ms }}"));
    let reply = weir_silent.post(CHAT, &[], &call(false));
    assert_typed("TLS to a silent port", &reply, 504, "upstream_connect_timeout");
}

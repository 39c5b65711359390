use super::*;

fn check<T: PartialEq + std::fmt::Debug, E: AsRef<str>>(
    read: impl Fn(&str) -> Result<T, E>,
    cases: &[(&str, Result<T, &str>)],
) {
    for (text, expect) in cases {
        match (read(text), expect) {
            (Ok(got), Ok(wanted)) => assert_eq!(got, *wanted, "{text}"),
            (Err(got), Err(part)) => {
                assert!(got.as_ref().contains(part), "{text}: {:?} lacks {part:?}", got.as_ref());
            }
            (got, _) => {
                panic!("{text}: expected {expect:?}, got {:?}", got.map_err(|e| e.as_ref().to_owned()))
            }
        }
    }
}

#[test]
fn durations() {
    let ms = Duration::from_millis;
    check(
        duration,
        &[
            ("250ms", Ok(ms(250))),
            ("1.5s", Ok(ms(1500))),
            ("0.1s", Ok(ms(100))),
            ("0s", Ok(ms(0))),
            ("5m", Ok(ms(300_000))),
            ("24h", Ok(LONGEST)),
            ("0.000000001s", Ok(Duration::from_nanos(1))),
            ("24.1h", Err("longer than 24h")),
            ("99999999999999999999999999999999999999999h", Err("longer than 24h")),
            ("340282366920938463463374607431768211455ms", Err("longer than 24h")),
            ("0.0000000001s", Err("nine digits")),
            ("10", Err("unit")),
            ("", Err("unit")),
            ("s", Err("unit")),
            ("1.s", Err("unit")),
            (".5s", Err("unit")),
            ("1.5.2s", Err("unit")),
            ("-1s", Err("unit")),
            ("1d", Err("unit")),
            ("1m30s", Err("unit")),
            ("1 s", Err("unit")),
        ],
    );
}

#[test]
fn sizes() {
    check(
        size,
        &[
            ("512", Ok(512)),
            ("512B", Ok(512)),
            ("64KiB", Ok(65_536)),
            ("1MB", Ok(1_000_000)),
            ("1GiB", Ok(1 << 30)),
            ("1024GiB", Ok(1 << 40)),
            ("1025GiB", Err("larger")),
            ("99999999999999999999", Err("larger")),
            ("1.5MiB", Err("whole number")),
            ("64kb", Err("unit")),
            ("MiB", Err("unit")),
            ("", Err("unit")),
            ("-1", Err("unit")),
        ],
    );
}

#[test]
fn what_is_written_reads_back() {
    for text in ["250ms", "10s", "90s", "5m", "1h", "0s", "0.0000005s", "1.000000001s"] {
        assert_eq!(duration_text(duration(text).unwrap()), text);
    }
    for text in ["0", "1", "1000", "64KiB", "65KiB", "1MiB", "3GiB"] {
        assert_eq!(size_text(size(text).unwrap()), text);
    }
    assert_eq!(size_text(1_000_000), "1000000");
}

#[test]
fn urls() {
    let ok = |text: &str| Ok(text.to_owned());
    check(
        url,
        &[
            ("https://api.openai.com/v1", ok("https://api.openai.com/v1")),
            ("HTTP://127.0.0.1:8080/v1/", ok("http://127.0.0.1:8080/v1")),
            ("http://[::1]:8080", ok("http://[::1]:8080")),
            ("http://[::1]/v1", ok("http://[::1]/v1")),
            ("http://my_host-1.internal/", ok("http://my_host-1.internal")),
            ("api.openai.com/v1", Err("begin with http")),
            ("ftp://x/", Err("begin with http")),
            ("http:///v1", Err("no host")),
            ("http://:80/v1", Err("no host")),
            ("http://user:pw@host/", Err("user name")),
            ("http://host/v1?a=b", Err("query")),
            ("http://host?a=b", Err("query")),
            ("http://host/v1#x", Err("fragment")),
            ("http://host:0/", Err("port")),
            ("http://host:65536/", Err("port")),
            ("http://host:/", Err("port")),
            ("http://host:+80/", Err("port")),
            ("http://[::1]80/", Err("port")),
            ("http://[::1/", Err("closing bracket")),
            ("http://[x]/", Err("IPv6")),
            ("http://::1/", Err("no host")),
            ("http://a%b/", Err("host")),
            ("http://host/a b", Err("spaces")),
            ("http://hôst/", Err("percent-encoded")),
            ("http://host\\x/", Err("backslash")),
        ],
    );
}

#[test]
fn origins() {
    let ok = |text: &str| Ok(text.to_owned());
    check(
        origin,
        &[
            ("https://app.example", ok("https://app.example")),
            ("http://localhost:3000", ok("http://localhost:3000")),
            ("https://App.Example", ok("https://app.example")),
            ("*", ok("*")),
            ("app.example", Err("scheme://host")),
            ("https://app.example/", Err("no path")),
            ("https://", Err("no host")),
        ],
    );
}

#[test]
fn addresses() {
    check(
        address,
        &[
            ("127.0.0.1:7600", Ok(SocketAddr::from(([127, 0, 0, 1], 7600)))),
            (":7600", Err("IP address")),
            ("localhost:7600", Err("IP address")),
            ("127.0.0.1", Err("IP address")),
        ],
    );
}

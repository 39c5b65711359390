//! How durations, sizes, prices, addresses and URLs are written: one reader and one writer for each, no floats.

use std::net::SocketAddr;
use std::time::Duration;
use weir_core::Price;

const UNITS_OF_TIME: [(&str, u128); 4] =
    [("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];
const UNITS_OF_SIZE: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const LARGEST: u64 = 1 << 40;

/// A number and its unit, as in `10s`.
fn number_and_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()))
}

/// A duration: a decimal number and `ms`, `s`, `m` or `h`; at most 24 hours.
///
/// # Errors
/// What to write instead.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const WANTED: &str = "write a number and its unit: 250ms, 10s, 5m or 1h";
    let (number, unit) = number_and_unit(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let Some((_, nanos)) = UNITS_OF_TIME.iter().find(|(name, _)| *name == unit) else { return Err(WANTED) };
    if whole.is_empty() || number.ends_with('.') || fraction.contains('.') {
        return Err(WANTED);
    }
    if fraction.len() > 9 {
        return Err("at most nine digits after the point");
    }
    let whole: u128 = whole.parse().map_err(|_| "longer than 24h")?;
    let part = format!("{fraction:0<9}").parse::<u128>().map_err(|_| WANTED)? * nanos / 1_000_000_000;
    let total = whole.checked_mul(*nanos).and_then(|n| u64::try_from(n + part).ok());
    match total.map(Duration::from_nanos) {
        Some(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("longer than 24h"),
    }
}

/// The duration as a file would say it, exactly: `90s`.
pub fn duration_text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let unit = UNITS_OF_TIME.iter().rev().find(|(_, unit)| nanos >= *unit && nanos.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) => format!("{}{name}", nanos / unit),
        None if nanos == 0 => "0s".to_owned(),
        None => {
            let fraction = format!("{:09}", nanos % 1_000_000_000);
            format!("{}.{}s", nanos / 1_000_000_000, fraction.trim_end_matches('0'))
        }
    }
}

/// A size in bytes: a whole number and `B`, `KB`, `MB`, `GB` (powers of 1000), `KiB`, `MiB`, `GiB` (powers of 1024) or
/// nothing (bytes).
pub(crate) fn size(text: &str) -> Result<usize, &'static str> {
    const WANTED: &str = "write a whole number and its unit: 64KiB, 32MiB, 1MB, or bytes";
    let (number, unit) = number_and_unit(text);
    let Some((_, bytes)) = UNITS_OF_SIZE.iter().find(|(name, _)| *name == unit) else { return Err(WANTED) };
    if number.is_empty() || number.contains('.') {
        return Err(WANTED);
    }
    let total = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*bytes)).filter(|n| *n <= LARGEST);
    total.and_then(|n| usize::try_from(n).ok()).ok_or("larger than 1024GiB")
}

/// The size as [`size`] reads it, exactly.
pub(crate) fn size_text(bytes: usize) -> String {
    let bytes = bytes as u64;
    let unit =
        UNITS_OF_SIZE.iter().rev().take(3).find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// An amount of USD.
pub(crate) fn price(text: &str) -> Result<Price, String> {
    text.parse().map_err(|error| format!("it {error}"))
}

/// An amount of USD for one piece.
pub(crate) fn price_each(text: &str) -> Result<Price, String> {
    Price::each(text).map_err(|error| format!("it {error}"))
}

/// A day of the calendar, `2026-11-21`.
///
/// # Errors
/// What to write instead.
pub fn date(text: &str) -> Result<Box<str>, &'static str> {
    const WANTED: &str = "write a day, as in 2026-11-21";
    let number = |range: std::ops::Range<usize>| {
        let part = text.get(range).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
        part.and_then(|part| part.parse::<u16>().ok())
    };
    let dashes = [4, 7].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    let (Some(_), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return Err(WANTED);
    };
    let is_day = text.len() == 10 && dashes && (1..=12).contains(&month) && (1..=31).contains(&day);
    if is_day { Ok(text.into()) } else { Err(WANTED) }
}

/// An address to listen on.
pub(crate) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    const WANTED: &str = "write an IP address and a port: 127.0.0.1:7600, 0.0.0.0:7600 or [::]:7600";
    text.parse().map_err(|_| WANTED)
}

/// A base URL: `http` or `https`, a host, perhaps a port and a path. Trailing slashes are dropped.
///
/// A credential in a URL would end up in logs, and a query or fragment has no meaning before a path is appended.
pub(crate) fn url(text: &str) -> Result<String, &'static str> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("it holds spaces or characters that must be percent-encoded");
    }
    let (scheme, rest) = text.split_once("://").ok_or("it must begin with http:// or https://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err("it must begin with http:// or https://");
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("it must not hold a user name or password; use `api_key` or `headers`");
    }
    if path.contains(['?', '#']) {
        return Err("it must not hold a query or a fragment");
    }
    if path.contains('\\') || authority.contains('\\') {
        return Err("it holds a backslash");
    }
    check_authority(authority)?;
    Ok(format!("{}://{authority}{}", scheme.to_ascii_lowercase(), path.trim_end_matches('/')))
}

/// The origin of a web page, or `*` for any.
pub(crate) fn origin(text: &str) -> Result<String, &'static str> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let (scheme, authority) =
        text.split_once("://").ok_or("write scheme://host, such as https://app.example")?;
    if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
        return Err("write scheme://host, such as https://app.example");
    }
    if authority.contains(['/', '?', '#', '@']) {
        return Err("an origin has no path, query or user; write scheme://host");
    }
    check_authority(authority)?;
    Ok(text.to_ascii_lowercase())
}

fn check_authority(authority: &str) -> Result<(), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']').ok_or("the IPv6 address has no closing bracket")?;
            if ip.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("the host in brackets is not an IPv6 address");
            }
            let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').unwrap_or("")) };
            (ip, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if !authority.starts_with('[') && !host.bytes().all(is_name) {
        return Err("the host is not a name or an IP address");
    }
    match port {
        Some(port)
            if !port.bytes().all(|b| b.is_ascii_digit()) || !matches!(port.parse::<u16>(), Ok(1..)) =>
        {
            Err("the port must be a number from 1 to 65535")
        }
        _ => Ok(()),
    }
}

/// A time of day, `09:30`, in minutes after midnight; `24:00` is the end of the day.
pub(crate) fn time_of_day(text: &str) -> Result<u16, &'static str> {
    const HELP: &str = "write hours and minutes, as in 09:30";
    let (hours, minutes) = text.split_once(':').ok_or(HELP)?;
    let number = |part: &str| match part.as_bytes() {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Ok(u16::from(a - b'0') * 10 + u16::from(b - b'0')),
        _ => Err(HELP),
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if minutes > 59 || hours * 60 + minutes > 24 * 60 { Err(HELP) } else { Ok(hours * 60 + minutes) }
}

/// One of the words that `names` gives, or all of them in a sentence.
pub(crate) fn one_of<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    all.iter()
        .copied()
        .find(|one| name(*one) == text)
        .ok_or_else(|| format!("one of {}", all.iter().map(|one| name(*one)).collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests;

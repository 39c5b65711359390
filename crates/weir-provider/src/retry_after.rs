//! When an upstream says to come back.

use http::{HeaderMap, header};
use std::time::{Duration, SystemTime};

/// Longer waits than this are cut to it.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads `retry-after-ms` (milliseconds, as OpenAI and Azure send it) or `Retry-After` (RFC 9110 §10.2.3: seconds or a
/// date; fractions of a second are accepted too). `None` when absent or unreadable.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|t| seconds(t, 1e-3)) {
        return Some(millis);
    }
    let value = text(header::RETRY_AFTER.as_str())?;
    seconds(value, 1.0).or_else(|| {
        let at = httpdate::parse_http_date(value).ok()?;
        Some(at.duration_since(now).unwrap_or_default().min(LONGEST))
    })
}

fn seconds(text: &str, unit: f64) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    Some(Duration::from_secs_f64((number * unit).min(LONGEST.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, value: &str, expect: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        // 2015-10-21 07:27:00 UTC
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_420);
        assert_eq!(retry_after(&headers, now), expect.map(Duration::from_millis), "{name}: {value}");
    }

    #[test]
    fn every_form_is_read() {
        check("retry-after", "7", Some(7_000));
        check("retry-after", "0.5", Some(500));
        check("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", Some(60_000));
        check("retry-after", "Wed, 21 Oct 2015 07:20:00 GMT", Some(0));
        check("retry-after-ms", "1500", Some(1_500));
        check("retry-after", "1e99", Some(86_400_000));
        check("retry-after", "-3", None);
        check("retry-after", "NaN", None);
        check("retry-after", "soon", None);
        check("x-other", "7", None);
    }
}

//! Times of day.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;

/// Days and hours in one time zone.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Monday first; all of them when none was named.
    days: [bool; 7],
    /// Minutes after midnight; `from` may be later than `to`, which then is on the next day.
    from: u16,
    to: u16,
    zone: TimeZone,
    zone_name: Box<str>,
}

/// The zone is not one that is known.
#[derive(Debug, PartialEq, Eq)]
pub struct ClockError;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Clock {
    /// On these days (0 is Monday; none for all), from `from` until before `to`, both in minutes after midnight. When
    /// `from` is not before `to`, the span goes over midnight and belongs to the day on which it began.
    ///
    /// # Errors
    /// When no time zone (IANA's names) has this name.
    pub fn new(days: &[u8], from: u16, to: u16, zone: &str) -> Result<Clock, ClockError> {
        let found = TimeZone::get(zone).map_err(|_| ClockError)?;
        let mut on = [days.is_empty(); 7];
        for day in days {
            if let Some(day) = on.get_mut(usize::from(*day)) {
                *day = true;
            }
        }
        Ok(Clock { days: on, from, to, zone: found, zone_name: zone.into() })
    }

    /// Whether this is such a time.
    pub(super) fn shows(&self, unix_seconds: i64) -> bool {
        let Some((day, minute)) = self.read(unix_seconds) else { return false };
        let on = |day: usize| self.days.get(day % 7).copied().unwrap_or(false);
        if self.from < self.to {
            return on(day) && (self.from..self.to).contains(&minute);
        }
        (on(day) && minute >= self.from) || (on(day + 6) && minute < self.to)
    }

    fn read(&self, unix_seconds: i64) -> Option<(usize, u16)> {
        let local = self.zone.to_datetime(Timestamp::from_second(unix_seconds).ok()?);
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).ok()?;
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        Some((day, u16::try_from(minute).ok()?))
    }

    /// The time there, for people.
    pub(super) fn local(&self, unix_seconds: i64) -> String {
        let Some((day, minute)) = self.read(unix_seconds) else { return "no time".to_owned() };
        format!("{} {}", DAYS.get(day).unwrap_or(&""), time(minute))
    }
}

fn time(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.days.iter().all(|on| *on) {
            let days: Vec<&str> =
                DAYS.iter().zip(self.days).filter(|(_, on)| *on).map(|(name, _)| *name).collect();
            write!(f, "{} ", days.join(","))?;
        }
        write!(f, "{} to {} {}", time(self.from), time(self.to), self.zone_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(days: &[u8], from: u16, to: u16, zone: &str, utc: &str, expect: bool) {
        let seconds = utc.parse::<Timestamp>().unwrap().as_second();
        let clock = Clock::new(days, from, to, zone).unwrap();
        assert_eq!(clock.shows(seconds), expect, "{clock} at {utc}");
    }

    #[test]
    fn hours_are_those_of_the_zone() {
        // 2026-01-05 is a Monday.
        check(&[], 540, 1020, "UTC", "2026-01-05T09:00:00Z", true);
        check(&[], 540, 1020, "UTC", "2026-01-05T17:00:00Z", false);
        check(&[], 540, 1020, "Europe/Berlin", "2026-01-05T08:00:00Z", true);
        check(&[], 540, 1020, "Europe/Berlin", "2026-07-06T07:00:00Z", true);
        check(&[], 540, 1020, "Europe/Berlin", "2026-01-05T07:00:00Z", false);
        check(&[0], 0, 1440, "America/New_York", "2026-01-06T04:59:00Z", true);
        check(&[0], 0, 1440, "America/New_York", "2026-01-06T05:00:00Z", false);
    }

    #[test]
    fn a_span_over_midnight_belongs_to_the_day_it_began_on() {
        check(&[4], 1320, 360, "UTC", "2026-01-09T22:00:00Z", true);
        check(&[4], 1320, 360, "UTC", "2026-01-10T05:59:00Z", true);
        check(&[4], 1320, 360, "UTC", "2026-01-10T06:00:00Z", false);
        check(&[4], 1320, 360, "UTC", "2026-01-09T05:00:00Z", false);
        check(&[0], 1320, 360, "UTC", "2026-01-12T01:00:00Z", false);
        check(&[6], 1320, 360, "UTC", "2026-01-12T01:00:00Z", true);
    }

    #[test]
    fn a_zone_that_does_not_exist_is_an_error() {
        assert!(Clock::new(&[], 0, 1, "Europe/Atlantis").is_err());
    }

    #[test]
    fn it_reads_well() {
        let clock = Clock::new(&[0, 4], 540, 1020, "Europe/Berlin").unwrap();
        assert_eq!(clock.to_string(), "mon,fri 09:00 to 17:00 Europe/Berlin");
    }
}

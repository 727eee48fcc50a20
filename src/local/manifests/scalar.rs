//! Plain scalars to JSON: the core schema of YAML 1.2 (10.3.2), and where kubectl's reader sees another value.

use serde_json::{Number, Value};

/// What a plain scalar means.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// This value, everywhere.
    Plain(Value),
    /// This text, which kubectl takes for a boolean.
    TextOrBoolean(Value),
    /// A number that JSON does not have.
    NoJson,
}

/// What `text`, written without quotes and without a tag, means.
pub(super) fn plain(text: &str) -> Meaning {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan"
        | ".NaN" | ".NAN" => return Meaning::NoJson,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "n" | "N" | "no" | "No" | "NO" | "off"
        | "Off" | "OFF" => return Meaning::TextOrBoolean(Value::from(text)),
        other => number(other).unwrap_or_else(|| Value::from(other)),
    };
    Meaning::Plain(value)
}

/// The number that `text` writes, if it does.
pub(super) fn number(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    match radix(digits) {
        Some((digits, radix)) => integer(negative, digits, radix),
        None if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            integer(negative, digits, 10).or_else(|| float(text))
        }
        None => float(text),
    }
}

/// The digits and base of `0x1F`, `0o17`, and `017`: the last is octal for kubectl, and file modes rely on it.
fn radix(digits: &str) -> Option<(&str, u32)> {
    if let Some(hex) = digits.strip_prefix("0x") {
        return Some((hex, 16));
    }
    if let Some(octal) = digits.strip_prefix("0o") {
        return Some((octal, 8));
    }
    let octal = digits.strip_prefix('0')?;
    (!octal.is_empty() && octal.bytes().all(|byte| matches!(byte, b'0'..=b'7'))).then_some((octal, 8))
}

fn integer(negative: bool, digits: &str, radix: u32) -> Option<Value> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if !negative {
        return Some(Value::from(size));
    }
    i64::try_from(-i128::from(size)).ok().map(Value::from)
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, no more: `1_000` and `0x` are text.
fn float(text: &str) -> Option<Value> {
    let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.bytes().all(allowed) || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    // A whole number is one, as it is after the way through Go's JSON: `replicas: 1.0` is 1.
    #[allow(clippy::cast_possible_truncation)] // within 2^53 every whole f64 is an i64
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("null", json!(null)),
            ("true", json!(true)),
            ("False", json!(false)),
            ("0", json!(0)),
            ("-1", json!(-1)),
            ("+7", json!(7)),
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("0x1F", json!(31)),
            ("089", json!(89)),
            ("1.0", json!(1)),
            ("1e3", json!(1000)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1.", json!(1)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("123456789012345678901234567890", json!(123456789012345678901234567890.0)),
            ("1_000", json!("1_000")),
            ("1.2.3", json!("1.2.3")),
            ("100m", json!("100m")),
            ("12:30", json!("12:30")),
            ("2026-01-01", json!("2026-01-01")),
            ("0x", json!("0x")),
            ("-", json!("-")),
            (".", json!(".")),
            ("e3", json!("e3")),
            ("infinity", json!("infinity")),
            ("nan", json!("nan")),
            ("0x+1", json!("0x+1")),
            ("1e400", json!("1e400")),
        ];
        for (text, value) in cases {
            assert_eq!(plain(text), Meaning::Plain(value), "{text:?}");
        }
    }

    #[test]
    fn norway_is_a_country() {
        for text in ["no", "on", "Yes", "OFF", "y"] {
            assert_eq!(plain(text), Meaning::TextOrBoolean(json!(text)));
        }
        assert_eq!(plain(".inf"), Meaning::NoJson);
    }
}

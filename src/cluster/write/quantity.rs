//! Whether two quantities are the same: the API server writes `1000m` as `1` and `1024Mi` as `1Gi`.

use serde_json::Value;

/// Whether the values of this field are quantities, or, of a map, its members' are.
#[must_use]
pub fn is_expected(field: &str) -> bool {
    matches!(field, "limits" | "requests" | "sizeLimit" | "divisor" | "hard")
}

/// Whether two values are one quantity.
#[must_use]
pub fn same(one: &Value, other: &Value) -> bool {
    matches!((nanos(one), nanos(other)), (Some(one), Some(other)) if one == other)
}

/// A quantity in units of 10^-9, the finest there is; `None` where it is none, or no whole number of them.
fn nanos(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(number) => return i128::from(number.as_i64()?).checked_mul(1_000_000_000),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+' | '-'));
    let (number, suffix) = text.split_at(digits.unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 18 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (factor, exponent) = scale(suffix)?;
    let exponent = exponent + 9 - i32::try_from(fraction.len()).ok()?;
    let scaled = mantissa.checked_mul(factor)?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    if exponent >= 0 { scaled.checked_mul(power) } else { (scaled % power == 0).then(|| scaled / power) }
}

/// A suffix as a factor and a power of ten (`resource.Quantity`).
fn scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => (1, suffix.strip_prefix(['e', 'E'])?.parse().ok().filter(|power| (-18..=18).contains(power))?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_quantity_in_several_words() {
        for (one, other) in [
            (json!("1000m"), json!("1")),
            (json!("1024Mi"), json!("1Gi")),
            (json!("0.5"), json!("500m")),
            (json!("1.5Gi"), json!("1536Mi")),
            (json!(2), json!("2000m")),
            (json!("1e3"), json!("1k")),
            (json!("1E3"), json!("1000")),
            (json!("100M"), json!("0.1G")),
        ] {
            assert!(same(&one, &other), "{one} {other}");
        }
        for (one, other) in [
            (json!("1"), json!("1m")),
            (json!("1G"), json!("1Gi")),
            (json!("x"), json!("x")),
            (json!(""), json!("0")),
            (json!("1"), Value::Null),
            (json!("99999999999999999999999999999999Ei"), json!("1")),
            (json!("1e99"), json!("1")),
            (json!("."), json!("0")),
        ] {
            assert!(!same(&one, &other), "{one} {other}");
        }
    }
}

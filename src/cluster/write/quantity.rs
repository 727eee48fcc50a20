//! Whether two quantities are the same: the API server writes `1000m` as `1` and `1024Mi` as `1Gi`.

use serde_json::Value;

use crate::inventory::quantity;

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

/// A number is a quantity too.
fn nanos(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => quantity::nanos(text),
        Value::Number(number) => i128::from(number.as_i64()?).checked_mul(1_000_000_000),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
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

//! Scalars of the merge table, and whether a JSON value is one.

use serde_json::Value;

/// What a value without parts must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Int32,
    Int64,
    Boolean,
    /// An amount, as `500m` or `1Gi`; text or a number.
    Quantity,
    /// A number or text, as a port `8080` or `http`, or `25%`.
    IntOrText,
    /// An instant (RFC 3339).
    Time,
    /// Anything.
    Any,
}

impl Scalar {
    /// By its name in the table.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "boolean" => Self::Boolean,
            "quantity" => Self::Quantity,
            "int-or-string" => Self::IntOrText,
            "time" => Self::Time,
            "any" => Self::Any,
            _ => return None,
        })
    }

    /// Whether `value` is one.
    ///
    /// # Errors
    /// What it must be, what it is, and what to do where that is plain.
    pub fn check(self, value: &Value) -> Result<(), String> {
        let fits = match self {
            Self::Text | Self::Time => value.is_string(),
            Self::Int32 => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            Self::Int64 => value.is_i64(),
            Self::Boolean => value.is_boolean(),
            Self::Quantity => value.is_number() || value.as_str().is_some_and(is_quantity),
            Self::IntOrText => value.is_i64() || value.is_string(),
            Self::Any => true,
        };
        if fits {
            Ok(())
        } else {
            Err(format!("must be {}, not {}{}", self.noun(), what(value), self.hint(value)))
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int32 | Self::Int64 => "a whole number",
            Self::Boolean => "true or false",
            Self::Quantity => "a quantity such as `500m` or `1Gi`",
            Self::IntOrText => "a whole number or text",
            Self::Time => "a time as `2026-01-31T12:00:00Z`",
            Self::Any => "anything",
        }
    }

    fn hint(self, value: &Value) -> String {
        match (self, value) {
            (Self::Text, Value::Bool(_) | Value::Number(_)) => format!("; put it in quotes: \"{value}\""),
            (Self::Int32 | Self::Int64 | Self::Boolean, Value::String(text)) if self.is_quoted(text) => {
                "; take the quotes off".to_owned()
            }
            _ => String::new(),
        }
    }

    /// Whether the text would fit without its quotes.
    fn is_quoted(self, text: &str) -> bool {
        serde_json::from_str(text).is_ok_and(|value| self.check(&value).is_ok())
    }
}

/// A value in a few words, for a sentence.
pub(super) fn what(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 => format!("the text \"{text}\""),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

/// The grammar of `resource.Quantity`: a signed decimal and a suffix (`m`, `Ki`, `M`, `e3`, …).
fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let dots = number.bytes().filter(|&b| b == b'.').count();
    if dots > 1 || number.len() == dots {
        return false;
    }
    match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" => true,
        "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei" => true,
        _ => suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| exponent.parse::<i32>().is_ok()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_those_of_kubernetes() {
        for good in ["0", "1", "500m", "1.5Gi", ".5", "5.", "1e3", "-1", "+2k", "2E", "3e-2"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", ".", "m", "1.2.3", "1 Gi", "1gi", "1KB", "Gi1", "1ee3", "1K"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn a_wrong_type_says_what_to_write() {
        let says = |scalar: Scalar, value: Value| scalar.check(&value).unwrap_err();
        assert_eq!(
            says(Scalar::Text, json!(80)),
            "must be text, not the number 80; put it in quotes: \"80\""
        );
        assert_eq!(
            says(Scalar::Int32, json!("2")),
            "must be a whole number, not the text \"2\"; take the quotes off"
        );
        assert_eq!(says(Scalar::Int32, json!("two")), "must be a whole number, not the text \"two\"");
        assert_eq!(
            says(Scalar::Int32, json!(3_000_000_000_i64)),
            "must be a whole number, not the number 3000000000"
        );
        assert!(Scalar::Int64.check(&json!(3_000_000_000_i64)).is_ok());
        assert!(Scalar::Quantity.check(&json!("1 GB")).is_err());
        assert!(Scalar::IntOrText.check(&json!(true)).is_err());
    }
}

//! Quantities as Kubernetes writes them (`resource.Quantity`): `100m`, `1.5`, `64Mi`, `2e3`. Pure.

/// A quantity in units of 10^-9, the finest there is; `None` where it is none, or no whole number of them.
#[must_use]
pub fn nanos(text: &str) -> Option<i128> {
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

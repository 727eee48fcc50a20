//! What a container may use, as its environment is told it (`resourceFieldRef`). Pure but for one question: what this
//! machine has.

use k8s_openapi::api::core::v1::{ResourceFieldSelector, ResourceRequirements};

use crate::inventory::quantity::nanos;

const ONE: i128 = 1_000_000_000;

/// What a container without limits may use: all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Cores.
    pub cores: usize,
    /// Bytes of memory; none where it cannot be told.
    pub memory: Option<u64>,
}

impl Capacity {
    /// What this machine has.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self { cores, memory: memory() }
    }
}

#[cfg(target_os = "linux")]
fn memory() -> Option<u64> {
    let found = rustix::system::sysinfo();
    // Unsigned words of the machine's own width.
    #[allow(clippy::useless_conversion, reason = "they are narrower on some machines")]
    Some(u64::from(found.totalram).saturating_mul(u64::from(found.mem_unit)))
}

#[cfg(not(target_os = "linux"))]
fn memory() -> Option<u64> {
    None
}

/// The value of a `resourceFieldRef`, as a kubelet gives it: the quantity by its divisor, rounded up. A limit that is
/// not set is what the machine has; a request that is not set is its limit, or 0. None where nothing can be told.
///
/// # Errors
/// A sentence where a quantity is none.
pub fn resource(
    field: &ResourceFieldSelector,
    resources: Option<&ResourceRequirements>,
    capacity: Capacity,
) -> Result<Option<String>, String> {
    let (list, name) = field.resource.split_once('.').unwrap_or(("", &field.resource));
    let limit = resources.and_then(|it| it.limits.as_ref()?.get(name));
    let request = resources.and_then(|it| it.requests.as_ref()?.get(name));
    let read = |text: &str| nanos(text).ok_or_else(|| format!("`{text}` is no quantity"));
    let amount = match (list, limit, request.or(limit)) {
        ("limits", Some(set), _) | ("requests", _, Some(set)) => Some(read(&set.0)?),
        ("limits", None, _) => available(name, capacity),
        ("requests", _, None) => Some(0),
        (_, _, _) => return Err(format!("a container has no `{}`; write `limits.cpu`", field.resource)),
    };
    let divisor = match field.divisor.as_ref().map(|divisor| read(&divisor.0)).transpose()? {
        None | Some(0) => ONE,
        Some(divisor) => divisor,
    };
    // Up, as no quantity is negative.
    Ok(amount.map(|amount| ((amount + divisor - 1) / divisor).to_string()))
}

fn available(name: &str, capacity: Capacity) -> Option<i128> {
    let whole = match name {
        "cpu" => i128::try_from(capacity.cores).ok(),
        "memory" => capacity.memory.map(i128::from),
        _ => None,
    };
    whole.map(|whole| whole * ONE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_divided_and_rounded_up() {
        let resources: ResourceRequirements = serde_json::from_value(json!({
            "limits": {"cpu": "1500m", "memory": "64Mi", "odd": "much"}, "requests": {"cpu": "250m"}}))
        .unwrap();
        let of = |resources: Option<&ResourceRequirements>, name: &str, divisor: Option<&str>| {
            let field = serde_json::from_value(json!({"resource": name, "divisor": divisor})).unwrap();
            resource(&field, resources, Capacity { cores: 8, memory: Some(1 << 30) })
        };
        for (name, divisor, value) in [
            ("limits.cpu", None, "2"),
            ("limits.cpu", Some("0"), "2"),
            ("limits.cpu", Some("1m"), "1500"),
            ("requests.cpu", Some("1m"), "250"),
            ("requests.cpu", None, "1"),
            ("limits.memory", None, "67108864"),
            ("limits.memory", Some("1Mi"), "64"),
            ("limits.memory", Some("1Gi"), "1"),
            ("requests.memory", Some("1Mi"), "64"),
            ("requests.ephemeral-storage", None, "0"),
        ] {
            assert_eq!(of(Some(&resources), name, divisor), Ok(Some(value.to_owned())), "{name} {divisor:?}");
        }
        assert_eq!(of(None, "limits.cpu", None), Ok(Some("8".to_owned())));
        assert_eq!(of(None, "limits.memory", Some("1Mi")), Ok(Some("1024".to_owned())));
        assert_eq!(of(None, "limits.ephemeral-storage", None), Ok(None));
        assert_eq!(of(Some(&resources), "limits.odd", None), Err("`much` is no quantity".to_owned()));
        assert!(of(None, "cpu", None).is_err());
    }
}

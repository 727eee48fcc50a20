//! A container's environment and its `$(NAME)` references, as a kubelet reads them. Pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource};
use serde_json::Value;

use super::resources::{Capacity, resource};
use crate::inventory::selector::Labels;
use crate::inventory::{Inventory, Key};

/// What the environment of one pod is made from, besides its container.
#[derive(Debug, Clone)]
pub struct Surroundings<'s> {
    /// Where ConfigMaps and Secrets are.
    pub inventory: &'s Inventory,
    /// The pod's namespace and name.
    pub pod: &'s Key,
    /// The pod's uid.
    pub uid: &'s str,
    /// The pod's labels.
    pub labels: &'s Labels,
    /// The pod's annotations.
    pub annotations: &'s Labels,
    /// The ServiceAccount that the template names.
    pub service_account: &'s str,
    /// What a container may use that has no limits.
    pub capacity: Capacity,
}

/// The variables of a container, in order, each name once; those in `set` stand at the place of the
/// container's own of that name, else first, whatever the container says.
///
/// # Errors
/// One sentence that names the ConfigMap, Secret or key that is not there.
pub fn environment(
    container: &Container,
    set: &[(String, String)],
    around: &Surroundings<'_>,
) -> Result<Vec<(String, String)>, String> {
    let mut variables = Variables::default();
    for (name, value) in set {
        variables.put(name, value.clone());
    }
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let (kind, name, optional) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(map), _) => ("ConfigMap", &map.name, map.optional),
            (None, Some(secret)) => ("Secret", &secret.name, secret.optional),
            (None, None) => continue,
        };
        let Some(entries) = entries(kind, name, around) else {
            if optional == Some(true) {
                continue;
            }
            return Err(format!("there is no {kind} `{name}` in namespace `{}`", around.pod.namespace));
        };
        for (key, value) in entries {
            variables.put_unless_set(&format!("{prefix}{key}"), value, set);
        }
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value_of(variable, &variables, container, around)? {
            variables.put_unless_set(&variable.name, value, set);
        }
    }
    Ok(variables.0)
}

#[derive(Default)]
struct Variables(Vec<(String, String)>);

impl Variables {
    fn put(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn put_unless_set(&mut self, name: &str, value: String, set: &[(String, String)]) {
        if !set.iter().any(|(fixed, _)| fixed == name) {
            self.put(name, value);
        }
    }
}

fn value_of(
    variable: &EnvVar,
    known: &Variables,
    container: &Container,
    around: &Surroundings<'_>,
) -> Result<Option<String>, String> {
    match &variable.value_from {
        Some(source) => sourced(&variable.name, source, container, around),
        None => Ok(Some(expand(variable.value.as_deref().unwrap_or_default(), &known.0))),
    }
}

fn sourced(
    name: &str,
    source: &EnvVarSource,
    container: &Container,
    around: &Surroundings<'_>,
) -> Result<Option<String>, String> {
    if let Some(map) = &source.config_map_key_ref {
        return keyed("ConfigMap", &map.name, &map.key, map.optional, around);
    }
    if let Some(secret) = &source.secret_key_ref {
        return keyed("Secret", &secret.name, &secret.key, secret.optional, around);
    }
    if let Some(field) = &source.field_ref {
        return match pod_field(&field.field_path, around) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("variable `{name}`: a pod here has no field `{}`", field.field_path)),
        };
    }
    if let Some(field) = &source.resource_field_ref {
        return resource(field, container.resources.as_ref(), around.capacity)
            .map_err(|fault| format!("variable `{name}`: {fault}"));
    }
    Ok(None)
}

fn keyed(
    kind: &str,
    name: &str,
    key: &str,
    optional: Option<bool>,
    around: &Surroundings<'_>,
) -> Result<Option<String>, String> {
    match entries(kind, name, around).map(|mut entries| entries.remove(key)) {
        Some(Some(value)) => Ok(Some(value)),
        None | Some(None) if optional == Some(true) => Ok(None),
        Some(None) => {
            Err(format!("the {kind} `{name}` of namespace `{}` has no key `{key}`", around.pod.namespace))
        }
        None => Err(format!("there is no {kind} `{name}` in namespace `{}`", around.pod.namespace)),
    }
}

/// The entries of a ConfigMap or Secret that are text.
fn entries(kind: &str, name: &str, around: &Surroundings<'_>) -> Option<BTreeMap<String, String>> {
    let key = around.pod.sibling(name);
    let object = match kind {
        "Secret" => &around.inventory.secrets.get(&key)?.object,
        _ => &around.inventory.config_maps.get(&key)?.object,
    };
    let part = |field: &str| object.get(field).and_then(Value::as_object).into_iter().flatten();
    let mut entries = BTreeMap::new();
    for (key, value) in part("data") {
        let Some(text) = value.as_str() else { continue };
        let text = match kind {
            "Secret" => STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()),
            _ => Some(text.to_owned()),
        };
        entries.extend(text.map(|text| (key.clone(), text)));
    }
    for (key, value) in part("stringData") {
        entries.extend(value.as_str().map(|text| (key.clone(), text.to_owned())));
    }
    Some(entries)
}

fn pod_field(path: &str, around: &Surroundings<'_>) -> Option<String> {
    let text = match path {
        "metadata.name" => &around.pod.name,
        "metadata.namespace" => &around.pod.namespace,
        "metadata.uid" => around.uid,
        "spec.nodeName" => "local",
        "spec.serviceAccountName" => around.service_account,
        "status.podIP" | "status.podIPs" | "status.hostIP" | "status.hostIPs" => "127.0.0.1",
        other => {
            let (map, key) = other.strip_suffix("']")?.split_once("['")?;
            let map = match map {
                "metadata.labels" => around.labels,
                "metadata.annotations" => around.annotations,
                _ => return None,
            };
            return Some(map.get(key).unwrap_or_default().to_owned());
        }
    };
    Some(text.to_owned())
}

/// `$(NAME)` becomes the variable's value, `$$` a dollar sign; an unknown reference stays as it is.
#[must_use]
pub fn expand(text: &str, variables: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let reference = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let known = reference.and_then(|(name, behind)| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| (value, behind))
        });
        rest = match (known, after.strip_prefix('$')) {
            (Some((value, behind)), _) => {
                out.push_str(value);
                behind
            }
            (None, Some(behind)) => {
                out.push('$');
                behind
            }
            (None, None) => {
                out.push('$');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

/// The same in text for a shell, whose own `$` and `$$` stay what they are: only known names are put in.
#[must_use]
pub fn expand_in_shell(text: &str, variables: &[(String, String)]) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;

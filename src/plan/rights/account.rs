//! Whose rights in the cluster a version's pods have, and what they may show for it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Gain, gain};
use crate::inventory::settings::OverlayRight;
use crate::plan::json::{list, text};

/// The ServiceAccount that pods of a spec run as; `serviceAccount` is the field's old name.
fn account(spec: &Value) -> &str {
    ["/template/spec/serviceAccountName", "/template/spec/serviceAccount"]
        .into_iter()
        .find_map(|pointer| text(spec, pointer).filter(|name| !name.is_empty()))
        .unwrap_or("default")
}

/// Another ServiceAccount than the base's, or the base's where its pods cannot speak for it.
pub(super) fn find(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    let name = account(spec);
    if name != account(base) {
        let what = format!("the ServiceAccount `{name}`");
        gains.push(gain(OverlayRight::ServiceAccount, "template.spec.serviceAccountName", what));
    }
    let of_base = credentials(base);
    if automount(spec) > automount(base) && !of_base.contains(&Credential::API_SERVER) {
        let what = format!("a token of the ServiceAccount `{name}`");
        gains.push(gain(OverlayRight::ServiceAccount, "template.spec.automountServiceAccountToken", what));
    }
    for (volume, credential) in projected(spec) {
        if !of_base.contains(&credential) {
            let place = format!("template.spec.volumes[{volume}].projected");
            gains.push(gain(OverlayRight::ServiceAccount, place, credential.words()));
        }
    }
}

/// Whether the pods of a spec get their ServiceAccount's token without asking.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Automount {
    No,
    /// Nothing is written, so that the ServiceAccount says, which is not read here. To write `true` where the
    /// base leaves it open is to overrule an account that says no; whoever means one that says yes need not
    /// write it.
    AsTheAccountSays,
    Yes,
}

fn automount(spec: &Value) -> Automount {
    match spec.pointer("/template/spec/automountServiceAccountToken").and_then(Value::as_bool) {
        Some(false) => Automount::No,
        None => Automount::AsTheAccountSays,
        Some(true) => Automount::Yes,
    }
}

/// What a pod is given to show who it is.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Credential<'s> {
    /// A token for an audience.
    Token(&'s str),
    /// A certificate by a signer.
    Certificate(&'s str),
}

impl Credential<'_> {
    /// What is mounted without asking, and where no audience is written.
    const API_SERVER: Self = Self::Token("");

    fn words(&self) -> String {
        match self {
            Self::Token("") => "a token for the API server".to_owned(),
            Self::Token(audience) => format!("a token for `{audience}`"),
            Self::Certificate(signer) => format!("a certificate by `{signer}`"),
        }
    }
}

/// What the volumes of a spec bring, each with the volume's name. Secrets may hold more; they are not read
/// here.
fn projected(spec: &Value) -> impl Iterator<Item = (&str, Credential<'_>)> {
    list(spec, "/template/spec/volumes").flat_map(|volume| {
        let name = text(volume, "/name").unwrap_or_default();
        list(volume, "/projected/sources").filter_map(move |source| {
            let token = source.get("serviceAccountToken");
            let token = token.map(|it| Credential::Token(text(it, "/audience").unwrap_or_default()));
            let signer = || text(source, "/podCertificate/signerName").map(Credential::Certificate);
            Some((name, token.or_else(signer)?))
        })
    })
}

/// Everything that the pods of a spec are surely given.
fn credentials(spec: &Value) -> BTreeSet<Credential<'_>> {
    let mounted = (automount(spec) == Automount::Yes).then_some(Credential::API_SERVER);
    projected(spec).map(|(_, credential)| credential).chain(mounted).collect()
}

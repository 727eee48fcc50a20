//! `Router`: which hosts lead to a base's versions, and who gets which.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{
    CIDR, DURATION, HEADER_NAME, HOST, LABEL, MATCH_SAYS_SOMETHING, OBJECT_NAME, ONE_WAY_TO_MATCH,
    ONE_WAY_TO_MATCH_A_PATH, PATH_NEEDS_VERSIONS, PATH_SHAPE, PRINTABLE, PortNameOrNumber, SUBDOMAIN_SHAPE,
    TOKEN, VERSION_PATTERN, or_null, validations,
};

/// Which hosts lead to the versions of one base, and who gets which version.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kyaninus.com",
    version = "v1",
    kind = "Router",
    shortname = "rtr",
    category = "synkronic",
    namespaced,
    status = "RouterStatus",
    derive = "PartialEq",
    doc = "Which hosts lead to the versions of one base, and who gets which version.",
    printcolumn = r#"{"name": "Hosts", "type": "string", "jsonPath": ".spec.hosts", "description": "The hosts that lead here."}"#,
    printcolumn = r#"{"name": "Active", "type": "string", "jsonPath": ".status.active", "description": "The version that a plain request gets."}"#,
    printcolumn = r#"{"name": "Versions", "type": "string", "jsonPath": ".status.ready", "description": "Versions ready of those on offer."}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status", "description": "Whether it does what it says."}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp", "description": "Since when it exists."}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(&[PATH_NEEDS_VERSIONS])))]
pub struct RouterSpec {
    /// The Deployment whose versions are routed.
    #[schemars(length(min = 1, max = 63), regex(pattern = OBJECT_NAME))]
    pub base: String,
    /// The base's Service that traffic goes through. Default: its only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub service: Option<String>,
    /// The Service's port, by name or number. Default: the only one, else the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PortNameOrNumber")]
    pub port: Option<IntOrString>,
    /// The hosts that lead here, exact or one-level wildcards.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 253), regex(pattern = HOST)), extend("x-kubernetes-list-type" = "set"))]
    pub hosts: Vec<String>,
    /// Patterns of the version ids on offer, `*` matching any run of characters. Default: all.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = VERSION_PATTERN)), extend("x-kubernetes-list-type" = "set"))]
    pub versions: Vec<String>,
    /// How a version's own host reads. Default `{version}.{host}`; `""` turns subdomains off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = validations(&[SUBDOMAIN_SHAPE])))]
    pub subdomain: Option<String>,
    /// How a version's path prefix reads, as `/{version}`. Absent: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = validations(&[PATH_SHAPE])))]
    pub path: Option<String>,
    /// The version that a plain request gets. Default: `base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub active: Option<String>,
    /// Who gets another version; the first that matches decides.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub rules: Vec<Rule>,
    /// What happens where the chosen version has no ready endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_unavailable: Option<OnUnavailable>,
    /// Ways for a request to name its version itself; each off unless written.
    #[serde(rename = "override", default, skip_serializing_if = "Option::is_none")]
    pub override_: Option<Override>,
    /// Whether error pages name the versions on offer.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "std::ops::Not::not")]
    pub list_versions: bool,
    /// Time limits of requests through this Router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// How often a failed request is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
}

/// Who is sent to which version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The rule's name, shown as the reason `rule:<name>`.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// Any of these; in one entry, all of it.
    #[serde(rename = "match")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub match_: Vec<RuleMatch>,
    /// The version id to send them to.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub send: String,
}

/// One way to match: every condition in it must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(&[MATCH_SAYS_SOMETHING])))]
pub struct RuleMatch {
    /// Request headers.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub headers: Vec<HeaderMatch>,
    /// Cookies.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub cookies: Vec<CookieMatch>,
    /// Client address ranges (CIDR); one must hold the client.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 49), regex(pattern = CIDR)), extend("x-kubernetes-list-type" = "set"))]
    pub client_cidrs: Vec<String>,
    /// Methods, case-sensitive; one must be the request's.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 63), regex(pattern = TOKEN)), extend("x-kubernetes-list-type" = "set"))]
    pub methods: Vec<String>,
    /// Paths; one must match.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub paths: Vec<PathMatch>,
    /// Query parameters.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub query: Vec<QueryMatch>,
}

/// A condition on a value: exactly one of its members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueMatch {
    /// The whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub exact: Option<String>,
    /// How the value begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub prefix: Option<String>,
    /// A regular expression (RE2 syntax) that matches the whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub regex: Option<String>,
    /// Whether it is there at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

macro_rules! named_match {
    ($(#[$doc:meta])* $name:ident, $pattern:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        #[schemars(extend("x-kubernetes-validations" = validations(&[ONE_WAY_TO_MATCH])))]
        pub struct $name {
            /// Its name.
            #[schemars(length(min = 1, max = 63), regex(pattern = $pattern))]
            pub name: String,
            /// What its value must be.
            #[serde(flatten)]
            pub value: ValueMatch,
        }
    };
}

named_match! {
    /// A condition on a request header; the name is compared without case (RFC 9110 5.1).
    HeaderMatch, HEADER_NAME
}
named_match! {
    /// A condition on a cookie; the name is compared as it is (RFC 6265 5.4).
    CookieMatch, TOKEN
}
named_match! {
    /// A condition on a query parameter.
    QueryMatch, PRINTABLE
}

/// A condition on the path: exactly one of its members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(&[ONE_WAY_TO_MATCH_A_PATH])))]
pub struct PathMatch {
    /// The whole path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub exact: Option<String>,
    /// Its first segments, whole ones: `/a` matches `/a` and `/a/b`, not `/ab`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub prefix: Option<String>,
    /// A regular expression (RE2 syntax) that matches the whole path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub regex: Option<String>,
}

/// What serves a request whose version has no ready endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Fallback {
    /// Nothing: a 503 that says so.
    Fail,
    /// The active version.
    Active,
    /// The base.
    Base,
}

/// What happens where the chosen version has no ready endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OnUnavailable {
    /// For requests that a rule sent. Default: `fail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("enum" = ["fail", "active", "base"]))]
    pub rules: Option<Fallback>,
}

/// Ways for a request to name its version itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// The request header that names a version, as `X-Synkronic-Version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = HEADER_NAME))]
    pub header: Option<String>,
}

/// Time limits, as `1s`, `500ms`, `1m30s`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// Until a connection to an endpoint stands. Default: the edge's, 1s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = DURATION))]
    pub connect: Option<String>,
    /// From the request's last byte to the response's head. Default: the edge's, 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = DURATION))]
    pub response: Option<String>,
    /// Between two pieces of a stream. Default: the edge's, 300s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = DURATION))]
    pub idle: Option<String>,
}

/// How often a failed request is tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// Further attempts after the first, 0 to 3. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3))]
    pub attempts: Option<u32>,
}

/// What became of a Router, and what must outlive a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouterStatus {
    /// The generation of the object that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` (the summary), `Accepted`, `ResolvedRefs`, `Programmed`, `Reconciling`, `Stalled`.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The effective active version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// Versions ready of those on offer, as `2/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// The versions on offer, by id, the first 1,000 of them.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub versions: Vec<RouterVersion>,
    /// Activations, the newest first.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub history: Vec<Activation>,
    /// The hosts this Router holds.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["host"]))]
    pub hosts: Vec<HostClaim>,
    /// Ids that were on offer and are gone, for as long as their paths stay theirs.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub offered: Vec<OfferedId>,
}

/// One version on offer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouterVersion {
    /// The version id.
    pub id: String,
    /// Its own address, where subdomains are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its address by path, where paths are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_url: Option<String>,
    /// Whether it has a ready endpoint.
    pub ready: bool,
}

/// One change of the active version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activation {
    /// The version id that became active.
    pub version: String,
    /// When (RFC 3339, UTC).
    pub time: String,
}

/// A host that a Router holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostClaim {
    /// The host as written, in its comparable form.
    pub host: String,
    /// Since when (RFC 3339, UTC).
    pub since: String,
}

/// An id that was on offer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferedId {
    /// The version id.
    pub id: String,
    /// When it was last on offer (RFC 3339, UTC).
    pub last: String,
}

//! Labels, annotations, finalizers and other fixed names of Synkronic, each written once.

/// The API group of both kinds.
pub const GROUP: &str = "kyaninus.com";
/// The API version of both kinds, as objects spell it.
pub const API_VERSION: &str = "kyaninus.com/v1";
/// The value of `app.kubernetes.io/managed-by`, and the field manager of every write.
pub const MANAGER: &str = "synkronic";

/// Label: the base Deployment's name.
pub const LABEL_BASE: &str = "kyaninus.com/base";
/// Label: the version id.
pub const LABEL_VERSION: &str = "kyaninus.com/version";
/// Label: the hash of the DeploymentVersion's name; what a clone's Deployment selects by.
pub const LABEL_DPV: &str = "kyaninus.com/dpv";
/// Label: the common one that names the managing tool.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label of the Leases by which edges report what they serve: `"true"`.
pub const LABEL_EDGE: &str = "kyaninus.com/edge";
/// Label of EndpointSlices: the Service they belong to.
pub const LABEL_SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Annotation: the commit that was built; enters the pod template.
pub const ANNOTATION_BUILD: &str = "kyaninus.com/build";
/// Annotation: who owns the version.
pub const ANNOTATION_OWNER: &str = "kyaninus.com/owner";
/// Annotation: the pull request.
pub const ANNOTATION_LINK: &str = "kyaninus.com/link";
/// Annotation: `"true"` lets a version mount the base's volumes claims.
pub const ANNOTATION_SHARE_VOLUMES: &str = "kyaninus.com/share-volumes";
/// Annotation of clones: hashes of what was applied, so that a field that is no longer wanted is noticed.
pub const ANNOTATION_APPLIED: &str = "kyaninus.com/applied";
/// Annotation of an edge's Lease: the highest `resourceVersion` of a Router that its table holds.
pub const ANNOTATION_ROUTERS: &str = "kyaninus.com/routers";
/// Annotation of pod templates: how the first container runs on this machine.
pub const ANNOTATION_LOCAL_COMMAND: &str = "kyaninus.com/local-command";
/// Annotation of pod templates: the folder it runs in.
pub const ANNOTATION_LOCAL_DIR: &str = "kyaninus.com/local-dir";
/// Annotation of pod templates: the address of one that runs already.
pub const ANNOTATION_LOCAL_ENDPOINT: &str = "kyaninus.com/local-endpoint";

/// Finalizer of a DeploymentVersion that traffic is still sent to.
pub const FINALIZER_IN_USE: &str = "kyaninus.com/in-use";

//! What the tests of this room build their requests with.

use http::Request;
use http::request::Parts;

/// A request as hyper would hand it over.
pub fn parts(method: &str, target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

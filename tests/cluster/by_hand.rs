//! The kubelet that the cluster tests play by hand, for a control plane that somebody develops against:
//! `KUBECONFIG=DIR/hands.kubeconfig tests/kubernetes/plane exec DIR target/debug/examples/hands`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod fate;
mod hands;

#[tokio::main]
async fn main() {
    let client = kube::Client::try_default().await.expect("KUBECONFIG names a kubeconfig");
    let _hands = hands::Hands::start(client).await;
    println!("playing kubelet on node {}", hands::NODE);
    std::future::pending::<()>().await;
}

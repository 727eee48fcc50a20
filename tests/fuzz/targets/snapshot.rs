//! Snapshot files: any bytes are answered; and what can be read is written again to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use synkronic::inventory::Inventory;
use synkronic::inventory::snapshot::{decode, encode};

fuzz_target!(|data: &[u8]| {
    let _ = decode(data);
    // In a frame of its own, so that its lines are looked at.
    let mut bytes = b"{\"synkronic\":\"snapshot\",\"format\":2,\"written\":\"2026-01-01T00:00:00Z\"}\n".to_vec();
    bytes.extend_from_slice(data);
    bytes.push(b'\n');
    let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.extend_from_slice(format!("{{\"sha256\":\"{sum}\"}}\n").as_bytes());
    let Ok(snapshot) = decode(&bytes) else { return };
    let mut inventory = Inventory::default();
    inventory.update(snapshot.edits);
    let written = encode(&inventory, snapshot.written);
    let again = decode(&written).expect("what was written is a snapshot");
    let mut second = Inventory::default();
    second.update(again.edits);
    let twice = encode(&second, again.written);
    assert!(twice == written, "{}\n{}", String::from_utf8_lossy(&written), String::from_utf8_lossy(&twice));
});

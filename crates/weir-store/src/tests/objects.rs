//! What lives at a vendor.

use super::{DAY, Folder, alice, bob, now, opened};
use crate::{Trouble, VendorKind, VendorObject};

fn object(id: &str, kind: VendorKind) -> VendorObject {
    VendorObject {
        id: id.to_owned(),
        kind,
        provider: "openai".to_owned(),
        deployment: "sora".to_owned(),
        vendor_id: format!("vendor's {id}"),
        created: now(),
    }
}

#[tokio::test]
async fn an_object_is_its_owners_until_it_expires() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    let video = object("v1", VendorKind::Video);
    store.put_object(&alice(), video.clone(), DAY).await.unwrap();
    assert_eq!(store.put_object(&bob(), video.clone(), DAY).await, Err(Trouble::Exists));
    assert_eq!(store.object(&alice(), "v1", now()).await.unwrap(), Some(video));
    assert_eq!(store.object(&bob(), "v1", now()).await.unwrap(), None);
    assert_eq!(store.object(&alice(), "v1", now() + DAY).await.unwrap(), None);
    assert!(!store.delete_object(&bob(), "v1", now()).await.unwrap());
    assert!(store.delete_object(&alice(), "v1", now()).await.unwrap());
    assert_eq!((store.object(&alice(), "v1", now()).await.unwrap(), store.figures().bytes()), (None, 0));
    store.put_object(&alice(), object("v2", VendorKind::Video), DAY).await.unwrap();
    assert_eq!((store.sweep(now() + DAY).await, store.figures().bytes()), (Ok(1), 0));
}

#[tokio::test]
async fn objects_are_listed_by_kind_the_latest_first() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    for (at, kind) in
        [(0, VendorKind::File), (2, VendorKind::File), (1, VendorKind::File), (3, VendorKind::Batch)]
    {
        let object = VendorObject { created: now() + at * DAY, ..object(&format!("o{at}"), kind) };
        store.put_object(&alice(), object, 30 * DAY).await.unwrap();
    }
    store.put_object(&bob(), object("b", VendorKind::File), DAY).await.unwrap();
    let listed = async |kind, most| {
        let found = store.objects(&alice(), kind, most, now() + 4 * DAY).await.unwrap();
        found.into_iter().map(|object| object.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(VendorKind::File, 10).await, ["o2", "o1", "o0"]);
    assert_eq!(listed(VendorKind::File, 2).await, ["o2", "o1"]);
    assert_eq!(listed(VendorKind::Batch, 10).await, ["o3"]);
    assert!(listed(VendorKind::Video, 10).await.is_empty());
}

//! The list of models, as `GET /v1/models` and `GET /v1/models/{id}` answer it
//! (<https://platform.openai.com/docs/api-reference/models>).

use bytes::Bytes;
use serde::Serialize;

/// One model a client may ask for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ModelCard<'a> {
    /// The name to ask for.
    pub id: &'a str,
    /// Always `model`.
    object: &'static str,
    /// When it came to be, in seconds since 1970.
    pub created: u64,
    /// Whose it is.
    pub owned_by: &'a str,
}

impl<'a> ModelCard<'a> {
    /// A card. `created` is in seconds since 1970.
    pub fn new(id: &'a str, created: u64, owned_by: &'a str) -> Self {
        ModelCard { id, object: "model", created, owned_by }
    }

    /// The body that describes this one model.
    pub fn body(&self) -> Bytes {
        crate::json::to_bytes(self)
    }
}

/// The body that lists `models`, in their order.
pub fn list_body(models: &[ModelCard<'_>]) -> Bytes {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: &'a [ModelCard<'a>],
    }
    crate::json::to_bytes(&List { object: "list", data: models })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_documented_shape() {
        let cards = [ModelCard::new("gpt-4o", 1_700_000_000, "weir"), ModelCard::new("a\"b", 0, "weir")];
        let one = r#"{"id":"gpt-4o","object":"model","created":1700000000,"owned_by":"weir"}"#;
        let two = r#"{"id":"a\"b","object":"model","created":0,"owned_by":"weir"}"#;
        assert_eq!(cards[0].body(), one);
        assert_eq!(list_body(&cards), format!(r#"{{"object":"list","data":[{one},{two}]}}"#));
        assert_eq!(list_body(&[]), r#"{"object":"list","data":[]}"#);
    }
}

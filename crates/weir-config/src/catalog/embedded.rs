//! The catalogue that is part of the program: the files of `catalog/`, as text. They are read when a configuration is
//! loaded, and only those that hold something it names.

/// Who sells calls.
pub(super) const VENDORS: (&str, &str) =
    ("catalog/vendors.yaml", include_str!("../../../../catalog/vendors.yaml"));

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$((
            concat!("catalog/", $name, ".yaml"),
            include_str!(concat!("../../../../catalog/", $name, ".yaml")),
        )),*]
    };
}

/// The models.
pub(super) const MODELS: &[(&str, &str)] = files![
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "images-and-video",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "openai",
    "perplexity",
    "qwen",
    "voyage",
    "xai",
    "zai",
];

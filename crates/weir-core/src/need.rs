//! What a call asks of a model beyond text, and what kind of work a model is meant for.

/// Something a call uses that not every model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Tools or functions are offered.
    Tools,
    /// A message holds an image.
    Images,
    /// A message holds sound, or sound is wanted back.
    Audio,
    /// The answer is to follow a JSON schema.
    JsonSchema,
    /// An effort of reasoning is asked for.
    Reasoning,
}

impl Need {
    /// All of them.
    pub const ALL: [Need; 5] = [Need::Tools, Need::Images, Need::Audio, Need::JsonSchema, Need::Reasoning];

    /// The word in the configuration and in explanations.
    pub const fn name(self) -> &'static str {
        match self {
            Need::Tools => "tools",
            Need::Images => "images",
            Need::Audio => "audio",
            Need::JsonSchema => "json_schema",
            Need::Reasoning => "reasoning",
        }
    }
}

/// A set of [`Need`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs(u8);

impl Needs {
    /// None of them.
    pub const NONE: Needs = Needs(0);

    /// Adds one.
    pub const fn add(&mut self, need: Need) {
        self.0 |= 1 << need as u8;
    }

    /// Whether it is among them.
    pub const fn has(self, need: Need) -> bool {
        self.0 & (1 << need as u8) != 0
    }

    /// Whether all of `others` are among them.
    pub const fn cover(self, others: Needs) -> bool {
        others.0 & !self.0 == 0
    }

    /// The first of `others` that is not among them.
    pub fn first_missing(self, others: Needs) -> Option<Need> {
        others.iter().find(|need| !self.has(*need))
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Need> {
        Need::ALL.into_iter().filter(move |need| self.has(*need))
    }
}

impl FromIterator<Need> for Needs {
    fn from_iter<I: IntoIterator<Item = Need>>(all: I) -> Self {
        let mut needs = Needs::default();
        all.into_iter().for_each(|need| needs.add(need));
        needs
    }
}

/// The kind of work a model is meant for; clients can ask for one as `class:coding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelClass {
    /// Writing and mending programs.
    Coding,
    /// Hard questions that take thought.
    Reasoning,
    /// Quick answers at a low price.
    Fast,
    /// Everything that needs nothing special.
    General,
    /// Images and sound.
    Media,
}

impl ModelClass {
    /// All of them.
    pub const ALL: [ModelClass; 5] =
        [ModelClass::Coding, ModelClass::Reasoning, ModelClass::Fast, ModelClass::General, ModelClass::Media];

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            ModelClass::Coding => "coding",
            ModelClass::Reasoning => "reasoning",
            ModelClass::Fast => "fast",
            ModelClass::General => "general",
            ModelClass::Media => "media",
        }
    }

    /// The name by which clients ask for it.
    pub const fn model(self) -> &'static str {
        match self {
            ModelClass::Coding => "class:coding",
            ModelClass::Reasoning => "class:reasoning",
            ModelClass::Fast => "class:fast",
            ModelClass::General => "class:general",
            ModelClass::Media => "class:media",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_added() {
        let all: Needs = Need::ALL.into_iter().collect();
        let some: Needs = [Need::Images, Need::Reasoning].into_iter().collect();
        assert!(all.cover(some) && !some.cover(all) && some.cover(Needs::default()));
        assert_eq!(some.first_missing(all), Some(Need::Tools));
        assert_eq!(some.iter().collect::<Vec<_>>(), [Need::Images, Need::Reasoning]);
        assert!(Needs::default().is_empty() && !some.is_empty());
    }

    #[test]
    fn a_class_is_asked_for_by_its_name() {
        for class in ModelClass::ALL {
            assert_eq!(class.model(), format!("class:{}", class.name()));
        }
    }
}

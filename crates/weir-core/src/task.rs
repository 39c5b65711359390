//! What a prompt wants done.

/// The kind of work a prompt asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Writing, mending or explaining programs.
    Coding,
    /// Weighing up a text, data or a situation.
    Analysis,
    /// Mathematics, logic, plans of many steps.
    Reasoning,
    /// Stories, poems, slogans.
    Creative,
    /// Facts out of a given text, into a given form.
    Extraction,
    /// A question with an answer.
    Qa,
    /// Into another language.
    Translation,
    /// Conversation, and all that is nothing else.
    Chat,
}

impl Task {
    /// All of them.
    pub const ALL: [Task; 8] = [
        Task::Coding,
        Task::Analysis,
        Task::Reasoning,
        Task::Creative,
        Task::Extraction,
        Task::Qa,
        Task::Translation,
        Task::Chat,
    ];

    /// The word in the configuration and in `x-weir-task`.
    pub const fn name(self) -> &'static str {
        match self {
            Task::Coding => "coding",
            Task::Analysis => "analysis",
            Task::Reasoning => "reasoning",
            Task::Creative => "creative",
            Task::Extraction => "extraction",
            Task::Qa => "qa",
            Task::Translation => "translation",
            Task::Chat => "chat",
        }
    }

    /// The task of this name, whatever its case.
    pub fn named(name: &str) -> Option<Task> {
        Task::ALL.into_iter().find(|task| task.name().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::Task;

    #[test]
    fn every_task_is_found_by_its_name() {
        for task in Task::ALL {
            assert_eq!(Task::named(&task.name().to_uppercase()), Some(task));
        }
        assert_eq!(Task::named("code"), None);
    }
}

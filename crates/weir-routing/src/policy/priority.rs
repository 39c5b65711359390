//! In the order of the file.

use super::{Ask, Kind, Member, Order, Policy};
use crate::{Candidate, Chance, Reason};

pub(super) const KIND: Kind = Kind {
    name: "priority",
    description: "Takes the first deployment, in the order of the file, that may be called.",
    settings: &[],
    build: |build| Box::new(Priority::new(build.members)),
};

struct Priority(Vec<Member>);

impl Priority {
    /// Members without a weight stand last.
    fn new(members: &[Member]) -> Self {
        let mut members = members.to_vec();
        members.sort_by_key(|member| member.weight == 0);
        Priority(members)
    }
}

impl Policy for Priority {
    fn order(&self, ask: &Ask<'_, '_>, _: &mut dyn Chance, out: &mut Order) {
        let usable = self.0.iter().filter(|member| (ask.usable)(member.deployment));
        out.extend(usable.take(ask.wanted).map(|member| {
            let reason = if member.weight == 0 { Reason::LastResort } else { Reason::Preferred };
            Candidate::new(member.deployment, reason)
        }));
    }
}

//! Where each deliberate mistake is looked for.

use super::exploration::Scenario;
use super::mutation::Mutation;
use super::{replacing, scenarios};

/// The scenario in which a mistake shows soonest.
pub fn of(mutation: Mutation) -> Scenario {
    match mutation {
        Mutation::IgnoreRivals | Mutation::IgnoreHolds => scenarios::two_unanswered(),
        Mutation::TrustCachedRivals => scenarios::two_outdated(),
        Mutation::TrustCachedClaims
        | Mutation::UnguardedRecord
        | Mutation::ReleaseFirst
        | Mutation::AbandonAttempt
        | Mutation::AbandonInHand => scenarios::one_to_the_end(),
        Mutation::RetainAttempt | Mutation::RetainHastily | Mutation::ReleaseEvidence => {
            scenarios::retained()
        }
        Mutation::IgnoreKnown | Mutation::DoubtfulAsOurs => scenarios::by_hand(),
        Mutation::StoreNothing | Mutation::SeizeSecret => scenarios::secrets(),
        Mutation::TrustFreshAbsence => scenarios::hidden(),
        Mutation::TrustGaps | Mutation::BelieveAtOnce | Mutation::PatchAnything | Mutation::NeverPatch => {
            scenarios::drift()
        }
        Mutation::ForgetOldUrl => scenarios::two_urls(),
        Mutation::DropBeforeCopy | Mutation::LeaveFormerSecret => scenarios::moved_secret(),
        Mutation::LeaveOwnerless | Mutation::ClaimUnresolved => scenarios::ownerless(),
        Mutation::TrustOldView | Mutation::SendOverdue => scenarios::in_between(),
        Mutation::ActivateUnstored
        | Mutation::ActivateAtOnce
        | Mutation::DeactivateFirst
        | Mutation::RetireAtOnce
        | Mutation::DeleteCurrent
        | Mutation::DropPrevious
        | Mutation::KeepPrevious
        | Mutation::RotateForEver => replacing::rotated(),
        Mutation::ConfuseOwn => replacing::rotated_again(),
        Mutation::KeepSuperseded => replacing::url_and_back(),
        Mutation::LeaveRetiring => replacing::rotated_and_let_go(),
        Mutation::IgnorePause => replacing::paused(),
        Mutation::OverwriteUnseen
        | Mutation::OverwriteStored
        | Mutation::IgnoreContest
        | Mutation::LeaveUnguarded => scenarios::restored(),
        _ => scenarios::one_create(),
    }
}

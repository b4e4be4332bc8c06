package schema

// Term is one word of the tables and what it means.
type Term struct{ Word, Meaning string }

// Verdicts explains every verdict on a group or a user.
func Verdicts() []Term {
	return []Term{
		{string(Exact), "the vendor's total equals what was collected"},
		{string(Drifted), "the total changed while paging, and the last one equals what was collected; at a second reading too"},
		{string(Short), "fewer were given than the vendor declares, at a second reading too"},
		{string(Over), "more were given than the vendor declares, at a second reading too"},
		{string(Unverifiable), "read to the end, but there is no total to hold it against: the vendor gives none, or only some roles were asked for"},
		{string(VerdictFailed), "asked, and not answered: the key's row in outcomes says why"},
		{string(VerdictGone), "the vendor says that it does not exist any more"},
		{string(VerdictUnsupported), "the vendor can't list it: an AVChatRoom, for one"},
		{string(NotAsked), "no data block lists this group's members, or this user's groups; another view named it"},
	}
}

// Outcomes explains every outcome of a key.
func Outcomes() []Term {
	return []Term{
		{string(OK), "answered to the end"},
		{string(Gone), "the vendor says that the key does not exist any more: an answer, not a failure"},
		{string(Unsupported), "the vendor can't answer about a key of this kind: an answer, not a failure"},
		{string(Denied), "the vendor refuses to answer about this key; counts against tolerate_failed"},
		{string(Failed), "no whole answer after all attempts; counts against tolerate_failed"},
	}
}

// Changes explains when a change is told, and what makes it certain.
func Changes() []Term {
	return []Term{
		{"joined", "named by some view now, and not a membership in the base; certain where the group, or the user, names it now and was read whole on both nights, so that it would have been named then"},
		{"left", "a membership in the base that no view names now, and that is denied: by the group's or the user's own list that named it in the base and was read whole on both nights, or by the role query's NotMember; always certain. A pair that nobody asked about, of a group that is gone or failed, or that was not asked for (only, topics) has not left"},
		{"role_changed", "a membership on both nights, with two roles that are known and differ; certain where one view tells both and was read whole on both nights"},
	}
}

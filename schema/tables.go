// Package schema says what a snapshot is made of: seven tables, their columns, keys and meaning,
// and the few words (role, view, outcome, verdict) that every other package uses.
//
// Each table is a Go struct; its tags are the one place where name, type, encoding, key and
// meaning of a column are written. Parquet files, Arrow schemas, SQL and documentation are all
// derived from these structs by [Tables]. A pointer field is a nullable column, and its tag null says
// when it is null; what the vendors call what stands in it is written in origins.go. Field IDs never
// change and are never reused: a new column takes the next free number.
//
// The package imports nothing of Rollcall but its own sub-packages, and everything may import it.
package schema

import (
	"fmt"
	"reflect"
	"strings"
)

// Membership is one user in one group.
type Membership struct {
	Source      string  `parquet:"source,dict,id(1)" key:"1" doc:"the vendor account, its address without its kind: rongcloud.prod"`
	GroupID     string  `parquet:"group_id,dict,id(2)" key:"2" bloom:"yes" doc:"the vendor's ID of the group" private:"group"`
	UserID      string  `parquet:"user_id,plain,id(3)" key:"3" bloom:"yes" doc:"the vendor's ID of the user" private:"user"`
	Role        *string `parquet:"role,dict,id(4)" doc:"owner, admin or member, from the first view that names a role (role view, else group view, else user view)" null:"where that view names a role of the vendor's own, or no view names any"`
	RoleRaw     *string `parquet:"role_raw,dict,id(5)" doc:"that role in the vendor's own word, be it known or not" null:"where no view names a role"`
	Nickname    *string `parquet:"nickname,plain,id(6)" doc:"the member's name in this group" null:"where no view gave it, or none that can be read" private:"detail"`
	JoinedAt    *int64  `parquet:"joined_at,plain,timestamp(microsecond),id(7)" doc:"when the user joined, as the vendor tells it" unit:"microseconds, UTC" null:"where no view gave it, or none that can be read" private:"detail"`
	Extra       *string `parquet:"extra,plain,id(8)" doc:"the vendor's extension text of this membership" null:"where no view gave it, or none that can be read" private:"detail"`
	InUserView  *bool   `parquet:"in_user_view,id(9)" doc:"whether the user's own list named the group" null:"where that list did not, and was not asked for or not read whole"`
	InGroupView *bool   `parquet:"in_group_view,id(10)" doc:"whether the group's own list named the user" null:"where that list did not, and was not asked for or not read whole"`
	InRoleView  *bool   `parquet:"in_role_view,id(11)" doc:"whether the role query called the user a member" null:"where it was not asked, or not answered"`
	Disputed    bool    `parquet:"disputed,id(12)" doc:"true when views that were read whole contradict each other"`
}

// RoleWord is the role, in the vendor's own word where it is none of ours; empty where no view names one.
func (m *Membership) RoleWord() string {
	switch {
	case m.Role != nil:
		return *m.Role
	case m.RoleRaw != nil:
		return *m.RoleRaw
	default:
		return ""
	}
}

// Group is one group that was asked about or named by a membership.
type Group struct {
	Source           string  `parquet:"source,dict,id(1)" key:"1" doc:"the vendor account"`
	GroupID          string  `parquet:"group_id,plain,id(2)" key:"2" bloom:"yes" doc:"the vendor's ID of the group" private:"group"`
	Name             *string `parquet:"name,plain,id(3)" doc:"the group's name" null:"where no view gave it, or none that can be read" private:"detail"`
	Type             *string `parquet:"type,dict,id(4)" doc:"the group's type in the vendor's own word" null:"where no view gave it, or none that can be read"`
	DeclaredMembers  *int64  `parquet:"declared_members,plain,id(5)" doc:"how many members the vendor says the group has" unit:"members" null:"where the vendor gave no total of all members"`
	CollectedMembers int64   `parquet:"collected_members,plain,id(6)" doc:"how many members the group's own answers named" unit:"members"`
	Owners           int64   `parquet:"owners,plain,id(7)" doc:"memberships of this group with role owner" unit:"memberships"`
	Admins           int64   `parquet:"admins,plain,id(8)" doc:"memberships of this group with role admin" unit:"memberships"`
	Verdict          string  `parquet:"verdict,dict,id(9)" doc:"exact, drifted, short, over, unverifiable, failed, gone, unsupported or not_asked"`
}

// User is one user who was asked about or named by a membership.
type User struct {
	Source          string `parquet:"source,dict,id(1)" key:"1" doc:"the vendor account"`
	UserID          string `parquet:"user_id,plain,id(2)" key:"2" bloom:"yes" doc:"the vendor's ID of the user" private:"user"`
	DeclaredGroups  *int64 `parquet:"declared_groups,plain,id(3)" doc:"how many groups the vendor says the user is in" unit:"groups" null:"where the vendor gave no total"`
	CollectedGroups int64  `parquet:"collected_groups,plain,id(4)" doc:"how many groups the user's own answers named" unit:"groups"`
	Verdict         string `parquet:"verdict,dict,id(5)" doc:"as in groups"`
}

// KeyOutcome is what became of one key that was asked.
type KeyOutcome struct {
	Source     string  `parquet:"source,dict,id(1)" key:"1" doc:"the vendor account"`
	Data       string  `parquet:"data,dict,id(2)" key:"2" doc:"the data block that asked: rongcloud_group_members.all"`
	Key        string  `parquet:"key,plain,id(3)" key:"3" doc:"the user or group that was asked about" private:"key"`
	Outcome    string  `parquet:"outcome,dict,id(4)" doc:"ok, gone, unsupported, denied or failed"`
	Rows       int64   `parquet:"rows,plain,id(5)" doc:"rows that the answer gave" unit:"rows"`
	Declared   *int64  `parquet:"declared,plain,id(6)" doc:"the total that the vendor declared" unit:"members or groups" null:"where the vendor declared none"`
	Requests   int64   `parquet:"requests,plain,id(7)" doc:"requests sent for this key, retries included" unit:"requests"`
	Attempts   int64   `parquet:"attempts,plain,id(8)" doc:"readings of this key, from 1; a second reading or a retry adds one" unit:"readings"`
	VendorCode *string `parquet:"vendor_code,dict,id(9)" doc:"the vendor's code of what went wrong" null:"where the vendor named none"`
	Message    *string `parquet:"message,plain,id(10)" doc:"what went wrong, in words" null:"where nothing went wrong" private:"detail"`
	AskedAt    int64   `parquet:"asked_at,plain,timestamp(microsecond),id(11)" doc:"when the first request was sent" unit:"microseconds, UTC"`
	AnsweredAt int64   `parquet:"answered_at,plain,timestamp(microsecond),id(12)" doc:"when the last answer had been read" unit:"microseconds, UTC"`
}

// Discrepancy is one contradiction between two views that were both read whole.
type Discrepancy struct {
	Source    string  `parquet:"source,dict,id(1)" key:"1" doc:"the vendor account"`
	GroupID   string  `parquet:"group_id,dict,id(2)" key:"2" bloom:"yes" doc:"the group" private:"group"`
	UserID    string  `parquet:"user_id,plain,id(3)" key:"3" bloom:"yes" doc:"the user" private:"user"`
	Kind      string  `parquet:"kind,dict,id(4)" key:"4" doc:"user_view_only, group_view_only, not_member or role_conflict"`
	UserView  *string `parquet:"user_view,dict,id(5)" doc:"what the user's own list said: a role, listed, or absent" null:"where that view said nothing, or could not be read whole"`
	GroupView *string `parquet:"group_view,dict,id(6)" doc:"what the group's own list said" null:"where that view said nothing, or could not be read whole"`
	RoleView  *string `parquet:"role_view,dict,id(7)" doc:"what the role query said: a role or not_member" null:"where that view said nothing, or could not be read whole"`
}

// Change is one difference from the base, the nearest earlier sealed date.
type Change struct {
	Source     string  `parquet:"source,dict,id(1)" key:"1" doc:"the vendor account"`
	GroupID    string  `parquet:"group_id,dict,id(2)" key:"2" bloom:"yes" doc:"the group" private:"group"`
	UserID     string  `parquet:"user_id,plain,id(3)" key:"3" bloom:"yes" doc:"the user" private:"user"`
	Change     string  `parquet:"change,dict,id(4)" doc:"joined, left or role_changed"`
	RoleBefore *string `parquet:"role_before,dict,id(5)" doc:"the role in the base" null:"where the base knew no role, or the change is joined"`
	RoleAfter  *string `parquet:"role_after,dict,id(6)" doc:"the role now" null:"where no role is known now, or the change is left"`
	Certain    bool    `parquet:"certain,id(7)" doc:"whether the group or user that says so was read whole on both nights"`
}

// SourceFigures is one source and what it was asked.
type SourceFigures struct {
	Source      string  `parquet:"source,plain,id(1)" key:"1" doc:"the vendor account"`
	Type        string  `parquet:"type,plain,id(2)" doc:"rongcloud or tencentchat"`
	AppID       string  `parquet:"app_id,plain,id(3)" doc:"the app key or SDKAppID"`
	Endpoint    string  `parquet:"endpoint,plain,id(4)" doc:"the address that was asked"`
	Budgets     string  `parquet:"budgets,plain,id(5)" doc:"requests a second of each endpoint as JSON: {\"group_members\":100}" unit:"requests a second"`
	Requests    int64   `parquet:"requests,plain,id(6)" doc:"requests sent, retries included; the last two seconds of a killed process are not known" unit:"requests"`
	Retries     int64   `parquet:"retries,plain,id(7)" doc:"requests sent again after a transient fault" unit:"requests"`
	Throttles   int64   `parquet:"throttles,plain,id(8)" doc:"throttling answers received" unit:"answers"`
	Seconds     float64 `parquet:"seconds,plain,id(9)" doc:"seconds from the first request to the last answer" unit:"seconds"`
	BudgetShare float64 `parquet:"budget_share,plain,id(10)" doc:"share of the busiest endpoint's budget that was used, 0 to 1" unit:"share of 1"`
}

// Table describes one of the seven tables.
type Table struct {
	Name    string
	Doc     string
	Row     reflect.Type // the struct that the description was read from
	Columns []Column
}

// Column describes one column of a table.
type Column struct {
	Name     string
	Type     string // string, int64, double, boolean or timestamp
	Nullable bool
	ID       int  // Parquet field ID
	Key      int  // place in the primary key, from 1; 0 outside it
	Bloom    bool // whether files carry a bloom filter on it
	Doc      string
	Unit     string  // of a number or a moment: "requests a second"; empty where it is a number of nothing, or a text
	Null     string  // when the column is null, as the end of "null ..."; empty unless Nullable
	Private  Private // what it may tell of a person
}

// Key lists the names of the primary key in its order; rows are sorted by it.
func (t Table) Key() []string {
	names := make([]string, 0, 4)
	for place := 1; ; place++ {
		found := false
		for _, c := range t.Columns {
			if c.Key == place {
				names, found = append(names, c.Name), true
			}
		}
		if !found {
			return names
		}
	}
}

// Tables describes all seven tables in the order in which they are documented.
func Tables() []Table {
	return []Table{
		describe[Membership]("memberships", "who is in which group, with which role, and what each view said"),
		describe[Group]("groups", "every group asked about or named, and how complete it is"),
		describe[User]("users", "every user asked about or named, and how complete their list is"),
		describe[KeyOutcome]("outcomes", "the ledger: what became of every key asked"),
		describe[Discrepancy]("discrepancies", "where views that were read whole contradict each other"),
		describe[Change]("changes", "who joined, left or changed role since the base"),
		describe[SourceFigures]("sources", "what each vendor account was asked, and how much of its budget was used"),
	}
}

// TableOf describes the table whose rows are of type Row; it has no name where there is none.
func TableOf[Row any]() Table {
	for _, t := range Tables() {
		if t.Row == reflect.TypeFor[Row]() {
			return t
		}
	}
	return Table{}
}

func describe[Row any](name, doc string) Table {
	row := reflect.TypeFor[Row]()
	t := Table{Name: name, Doc: doc, Row: row}
	for i := range row.NumField() {
		t.Columns = append(t.Columns, describeColumn(row.Field(i)))
	}
	return t
}

func describeColumn(f reflect.StructField) Column {
	parts := strings.Split(f.Tag.Get("parquet"), ",")
	c := Column{Name: parts[0], Doc: f.Tag.Get("doc"), Unit: f.Tag.Get("unit"), Null: f.Tag.Get("null"), Private: Private(f.Tag.Get("private")), Bloom: f.Tag.Get("bloom") != ""}
	kind := f.Type
	if kind.Kind() == reflect.Pointer {
		c.Nullable, kind = true, kind.Elem()
	}
	c.Type = map[reflect.Kind]string{reflect.String: "string", reflect.Int64: "int64", reflect.Float64: "double", reflect.Bool: "boolean"}[kind.Kind()]
	for _, p := range parts[1:] {
		if strings.HasPrefix(p, "timestamp") {
			c.Type = "timestamp"
		}
		fmt.Sscanf(p, "id(%d)", &c.ID)
	}
	fmt.Sscanf(f.Tag.Get("key"), "%d", &c.Key)
	return c
}

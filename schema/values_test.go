package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"rollcall/schema"
)

func TestASecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const value = "hunter2"
	secret := schema.Secret(value)
	if secret.Reveal() != value {
		t.Error("a secret is lost")
	}
	inside := struct {
		Key  schema.Secret
		List []schema.Secret
		Map  map[string]schema.Secret
	}{secret, []schema.Secret{secret}, map[string]schema.Secret{"k": secret}}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("ask", "secret", secret, "all", inside)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("ask", "secret", secret, "all", inside)
	encoded, err := json.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprint(secret), fmt.Sprintf("%s %v %+v %#v %q", secret, secret, secret, secret, secret),
		fmt.Sprintf("%v %+v %#v", inside, inside, inside), fmt.Sprint(&inside), fmt.Errorf("sign: %v", secret).Error(),
		fmt.Sprintf("%x", secret), log.String(), string(encoded),
	} {
		if strings.Contains(printed, value) || strings.Contains(printed, fmt.Sprintf("%x", value)) {
			t.Errorf("printed: %s", printed)
		}
	}
}

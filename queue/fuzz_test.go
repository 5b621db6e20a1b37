package queue

import "testing"

// FuzzPayload holds that whatever stands in Redis is a delivery, is left to a
// newer worker, or is archived with a reason: nothing is dropped and nothing panics.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{`{"v":1,"task":81234,"delivery":0}`, `{"v":2}`, `{"v":1}`, `{"v":1,"task":-1}`, "", "junk", `{"v":1e99}`, `[1]`, "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePayload(data)
		switch {
		case err == nil:
			r := Delivery{Provider: "openai"}
			r.Task, r.Delivery = p.Task, p.Delivery
			if p.Task <= 0 || p.Delivery < 0 {
				t.Fatalf("%q names delivery %s", data, r.Ref)
			}
			if again, err := r.payload(); err == nil {
				if back, err := parsePayload(again); err != nil || back != p {
					t.Fatalf("%q is written as %q, which is read as %v (%v)", data, again, back, err)
				}
			}
		default:
			v := unreadable(err)
			if v.Reason == "" || v.Action == Done || v.Action == Retry && v.After <= 0 {
				t.Fatalf("%q: %+v", data, v)
			}
		}
	})
}

// FuzzID holds that an id is taken for ours only if we would have written it so.
func FuzzID(f *testing.F) {
	for _, seed := range []string{"1.0", "81234.7", "01.0", "1.-1", "+1.0", "9223372036854775807.0", "1.0.0", "", ".", "a.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if ref, ours := parseID(id); ours && (ref.String() != id || ref.Task <= 0 || ref.Delivery < 0) {
			t.Fatalf("%q is taken for %s", id, ref)
		}
	})
}

package tsengine_test

import (
	"context"
	"fmt"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// A little sequence: a variable, a group with a condition on it, and a command.
func Example() {
	s, err := sequence.Parse([]byte(`<sequence version="3.10">
  <step type="SMS_TaskSequence_SetVariableAction" name="Set site" successCodeList="0">
    <action>tsenv.exe "Site=North"</action>
    <defaultVarList>
      <variable name="VariableName" property="VariableName" hidden="true">Site</variable>
      <variable name="VariableValue" property="VariableValue" hidden="true">North</variable>
    </defaultVarList>
  </step>
  <group name="Only in the north">
    <condition>
      <expression type="SMS_TaskSequence_VariableConditionExpression">
        <variable name="Variable">Site</variable>
        <variable name="Operator">equals</variable>
        <variable name="Value">north</variable>
      </expression>
    </condition>
    <step type="SMS_TaskSequence_RunCommandLineAction" name="Say it" successCodeList="0 3010">
      <action>smsswd.exe /run: echo %Site%</action>
    </step>
  </group>
</sequence>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := tsengine.New(tsengine.Config{
		Sequence:    s,
		Environment: tsengine.FullOS,
		Reporter: tsengine.ReporterFunc(func(e tsengine.Event) {
			if e.Kind == tsengine.StepSucceeded {
				fmt.Printf("%d of %d: %s (%q)\n", e.Step, e.Steps, e.Name, e.Output)
			}
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := engine.Run(context.Background())
	fmt.Println(result.Outcome, err)
	// Output:
	// 1 of 2: Set site ("")
	// 2 of 2: Say it ("North")
	// succeeded <nil>
}

import json

from bioscan_etl.cli import main


def test_names_are_shown_with_type_rule_and_reason(tmp_path, capsys):
    path = tmp_path / "names.txt"
    path.write_text("Rhagium inquisitor (L.)\nOeneis melissa Norilsk\n")
    assert main(["names", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "NAME_AUTHORSHIP_DROPPED" in shown
    assert "2 names, 1 of them changed (1 PLACEHOLDER, 1 SCIENTIFIC)" in shown


def test_false_decisions_are_counted(tmp_path, capsys):
    path = tmp_path / "names.tsv"
    path.write_text("scientificName\texpected\nAus bus Norilsk\tAus bus\nAus bus L.\tAus bus\n")
    output = tmp_path / "out.csv"
    assert main(["names", str(path), "--expected", "expected", "--output", str(output), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "1 false decisions, 500.00 per 1,000 names" in shown
    assert output.read_text().splitlines()[0] == "name,type,normalised,rules,reason,expected,is_false"


def test_json_holds_the_rows(tmp_path, capsys):
    path = tmp_path / "names.txt"
    path.write_text("CHIRONOMUS\n")
    assert main(["names", str(path), "--rank", "genus", "--json", "--quiet"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["types"] == {"SCIENTIFIC": 1}
    assert facts["listed"][0]["normalised"] == "Chironomus"
    assert facts["false"] is None


def test_an_absent_file_is_one_line(tmp_path, capsys):
    assert main(["names", str(tmp_path / "none.csv")]) == 2
    assert "cannot be read" in capsys.readouterr().err

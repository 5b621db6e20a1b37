"""An app whose ORM has made an image_generations table of its own.

    second.py DATABASE create    makes its tables and three old rows
    second.py DATABASE insert    adds a row and prints its id
    second.py DATABASE read ID   prints a row
"""
import json
import sys
from datetime import datetime

from sqlalchemy import BigInteger, Column, DateTime, Float, Integer, String, Text, create_engine, func
from sqlalchemy.orm import declarative_base, sessionmaker

Base = declarative_base()


class ImageGeneration(Base):
    __tablename__ = "image_generations"
    id = Column(Integer, primary_key=True, autoincrement=True)
    storyboard_id = Column(Integer, index=True)
    drama_id = Column(Integer, index=True)
    scene_id = Column(Integer)
    character_id = Column(Integer)
    prop_id = Column(Integer)
    image_type = Column(String(20), index=True, default="storyboard")
    frame_type = Column(String(20))
    provider = Column(String(50))
    prompt = Column(Text)
    negative_prompt = Column(Text)
    model = Column(String(100))
    size = Column(String(20))
    quality = Column(String(20))
    style = Column(String(50))
    steps = Column(Integer)
    cfg_scale = Column(Float)
    seed = Column(BigInteger)
    image_url = Column(Text)
    minio_url = Column(Text)
    local_path = Column(Text)
    status = Column(String(20), index=True, default="pending", server_default="pending")
    task_id = Column(String(200))
    error_msg = Column(Text)
    width = Column(Integer)
    height = Column(Integer)
    reference_images = Column(Text)
    created_at = Column(DateTime, nullable=False, server_default=func.now())
    updated_at = Column(DateTime, nullable=False, server_default=func.now(), onupdate=datetime.utcnow)
    completed_at = Column(DateTime)
    deleted_at = Column(DateTime, index=True)


def row(status):
    return ImageGeneration(storyboard_id=7, drama_id=3, provider="sketch", prompt="a boat at dusk", size="64x64", status=status)


def main(database, act, *rest):
    engine = create_engine(database)
    if act == "create":
        Base.metadata.create_all(engine)
    with sessionmaker(bind=engine)() as session:
        if act == "create":
            session.add_all([row("pending"), row("processing"), row("failed")])
            session.commit()
        elif act == "insert":
            task = row("pending")
            session.add(task)
            session.commit()
            print(task.id)
        elif act == "read":
            task = session.get(ImageGeneration, int(rest[0]))
            print(json.dumps({"status": task.status, "image_url": task.image_url, "drama_id": task.drama_id,
                              "completed": isinstance(task.completed_at, datetime)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
